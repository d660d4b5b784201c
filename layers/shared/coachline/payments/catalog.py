"""Products and prices at Stripe, under ids of ours."""

from collections.abc import Mapping
from typing import Any

import stripe

from coachline.payments.stripe_api import asking, client


def publish(plan: Mapping[str, Any]) -> tuple[str, str]:
    """The ids of a plan's product and current price at Stripe; makes or corrects them, as often as it is called."""
    with asking():
        product = _product(plan)
        price = _price(plan, product)
        if price.active != plan["active"]:
            client().v1.prices.update(price.id, {"active": plan["active"]})
        return product, price.id


def _product(plan: Mapping[str, Any]) -> str:
    name = f"plan_{plan['plan_id']}"
    shown: dict[str, Any] = {"name": plan["name"], "active": plan["active"]}
    shown |= {"description": plan["description"]} if plan["description"] else {}
    try:
        client().v1.products.update(name, shown)  # type: ignore[arg-type]  # a plain dictionary
    except stripe.InvalidRequestError as error:
        if error.code != "resource_missing":
            raise
        made: Any = {"id": name, **shown, "metadata": {"plan_id": plan["plan_id"]}}
        client().v1.products.create(made, {"idempotency_key": f"{name}:create"})
    return name


def _price(plan: Mapping[str, Any], product: str) -> stripe.Price:
    """Found by its lookup key: Stripe forgets idempotency keys, and keeps those."""
    key = f"{product}_{plan['number']}"
    found = client().v1.prices.list({"lookup_keys": [key], "limit": 1}).data
    if found:
        return found[0]
    made: Any = {
        "product": product,
        "currency": plan["currency"].lower(),
        "unit_amount": plan["amount"],
        "recurring": {"interval": plan["interval"].lower(), "interval_count": plan["interval_count"]},
        "lookup_key": key,
        "metadata": {"plan_id": plan["plan_id"]},
    }
    return client().v1.prices.create(made, {"idempotency_key": f"{key}:create"})
