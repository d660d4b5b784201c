"""Very many subscriptions, at the simulated Stripe and here, as if each had been sold and mirrored."""

import json
from typing import Any
from uuid import uuid4

from coachline.payments import mirror
from tests.support.stripe_world import World

_PEOPLE = """
insert into user_account (id, clerk_id, email, first_name, last_name)
select (r ->> 'user')::uuid, 'bulk_' || (r ->> 'user'), (r ->> 'user') || '@example.com', 'Bulk', 'Person'
from jsonb_array_elements(%s::jsonb) r"""
_CUSTOMERS = """
insert into private.billing_customer (user_id, stripe_customer_id, currency)
select (r ->> 'user')::uuid, r ->> 'customer', 'USD' from jsonb_array_elements(%s::jsonb) r"""
_SUBSCRIPTIONS = """
insert into private.subscription (id, user_id, plan_id, plan_price_id, stripe_subscription_id, status)
select (r ->> 'ours')::uuid, (r ->> 'user')::uuid, c.plan_id, c.id, r ->> 'subscription', 'ACTIVE'
from jsonb_array_elements(%s::jsonb) r, private.plan_price c where c.stripe_price_id = r ->> 'price'"""
_CHANGES = """
insert into private.subscription_change (subscription_id, occurred_at, status, plan_price_id, collection_paused)
select s.id, %s, 'ACTIVE', s.plan_price_id, false from private.subscription s
where s.id = any(select (r ->> 'ours')::uuid from jsonb_array_elements(%s::jsonb) r)"""


def fill(world: World, count: int) -> None:
    """`count` subscriptions to one plan, each with its paid first invoice; our rows are not mirrored from them yet."""
    subscription, invoice = _template(world)
    price = subscription["items"]["data"][0]["price"]["id"]
    objects: list[tuple[str, dict[str, Any]]] = []
    rows = []
    for _ in range(count):
        name = uuid4().hex
        ids = {
            "user": str(uuid4()),
            "ours": str(uuid4()),
            "customer": f"cus_{name}",
            "subscription": f"sub_{name}",
            "price": price,
        }
        rows.append(ids)
        invoice_of = {**invoice["parent"]["subscription_details"], "subscription": ids["subscription"]}
        of_subscription = {
            "id": ids["subscription"],
            "customer": ids["customer"],
            "latest_invoice": f"in_{name}",
            "metadata": {"subscription_id": ids["ours"]},
        }
        of_invoice = {
            "id": f"in_{name}",
            "customer": ids["customer"],
            "number": f"BULK-{name}",
            "parent": {**invoice["parent"], "subscription_details": invoice_of},
        }
        objects.append(("subscription", subscription | of_subscription))
        objects.append(("invoice", invoice | of_invoice))
    world.stripe.keep(objects)
    with world.stack.database() as database, database.transaction():
        database.execute("alter table user_account disable trigger user")
        for statement in (_PEOPLE, _CUSTOMERS, _SUBSCRIPTIONS):
            database.execute(statement, [json.dumps(rows)])
        database.execute(_CHANGES, [mirror.instant(subscription["created"]), json.dumps(rows)])
        database.execute("alter table user_account enable trigger user")
        database.execute("analyze user_account")
        database.execute("analyze private.subscription")


def _template(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """A paid subscription and its invoice, made in the ordinary way."""
    price = world.rows("select stripe_price_id from private.plan_price where plan_id = %s", world.plan()["id"])
    name = world.stripe.subscribe(world.stripe.customer(), price[0]["stripe_price_id"]).id
    [subscription] = [each for each in world.objects("subscription") if each["id"] == name]
    [invoice] = [each for each in world.objects("invoice") if each["id"] == subscription["latest_invoice"]]
    return subscription, invoice
