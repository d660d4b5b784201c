"""Where our mirror is not what the simulated Stripe has: sentences, empty when all agrees."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from coachline.payments.stripe_event_types import HISTORY
from tests.support.stripe_world import World


def differences(world: World) -> list[str]:
    """Of subscriptions, invoices with lines, money, methods, the history, and notices."""
    return [
        *subscriptions_differ(world),
        *invoices_differ(world),
        *money_differs(world),
        *methods_differ(world),
        *histories_differ(world),
        *notices_differ(world),
        *(f"told twice: {key}" for key, times in emitted(world).items() if times > 1),
    ]


def when(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def subscriptions_differ(world: World) -> list[str]:
    ours = {
        row["stripe_subscription_id"]: row
        for row in world.rows(
            """select s.*, c.stripe_price_id from private.subscription s
               join private.plan_price c on c.id = s.plan_price_id"""
        )
    }
    wrong = []
    for theirs in world.objects("subscription"):
        row = ours.get(theirs["id"])
        if row is None:
            wrong.append(f"{theirs['id']} is not known")
            continue
        [item] = theirs["items"]["data"]
        expected = {
            "status": theirs["status"].upper(),
            "stripe_price_id": item["price"]["id"],
            "current_period_start": when(item["current_period_start"]),
            "current_period_end": when(item["current_period_end"]),
            **{name: when(theirs[name]) for name in ("trial_end", "cancel_at", "canceled_at", "ended_at")},
            "collection_paused": theirs["pause_collection"] is not None,
            "latest_invoice_id": theirs["latest_invoice"],
            "stripe_payment_method_id": theirs["default_payment_method"],
        }
        wrong += [f"{theirs['id']} {n}: {row[n]} for {v}" for n, v in expected.items() if row[n] != v]
    return wrong


def invoices_differ(world: World) -> list[str]:
    rows = {row["stripe_invoice_id"]: row for row in world.rows("select * from private.invoice")}
    lines: dict[Any, list[tuple[Any, ...]]] = {}
    for line in world.rows("select * from private.invoice_line order by invoice_id, position"):
        seen = (line["amount"], line["description"], line["proration"], line["period_start"], line["period_end"])
        lines.setdefault(line["invoice_id"], []).append(seen)
    wrong = []
    for theirs in world.objects("invoice"):
        row = rows.get(theirs["id"])
        if row is None:
            wrong.append(f"{theirs['id']} is not known")
            continue
        expected = {"status": theirs["status"].upper(), "currency": theirs["currency"].upper()}
        for name in ("number", "total", "amount_due", "amount_paid", "amount_remaining", "attempt_count"):
            expected[name] = theirs[name]
        expected["next_payment_attempt"] = when(theirs["next_payment_attempt"])
        wrong += [f"{theirs['id']} {n}: {row[n]} for {v}" for n, v in expected.items() if row[n] != v]
        charged = [
            (
                line["amount"],
                line["description"],
                line["parent"]["subscription_item_details"]["proration"],
                when(line["period"]["start"]),
                when(line["period"]["end"]),
            )
            for line in theirs["lines"]["data"]
        ]
        if lines.get(row["id"], []) != charged:
            wrong.append(f"{theirs['id']}: lines {lines.get(row['id'])} for {charged}")
        if row["subscription_id"] is None:
            wrong.append(f"{theirs['id']}: of no subscription")
    return wrong


def money_differs(world: World) -> list[str]:
    """What customers were charged, by the charges themselves, against what our invoices say they paid."""
    charged = Counter[str]()
    for charge in world.objects("charge"):
        charged[charge["customer"]] += charge["amount"] if charge["status"] == "succeeded" else 0
    wrong = []
    for customer, amount in charged.items():
        [row] = world.rows(
            """select coalesce(sum(i.amount_paid), 0)::bigint as paid from private.billing_customer b
               left join private.invoice i on i.user_id = b.user_id where b.stripe_customer_id = %s""",
            customer,
        )
        if row["paid"] != amount:
            wrong.append(f"{customer} paid {amount}, and we say {row['paid']}")
    return wrong


def methods_differ(world: World) -> list[str]:
    wrong = []
    for customer in world.objects("customer"):
        rows = world.rows(
            """select m.stripe_payment_method_id as id, m.is_default, m.expires_year from private.payment_method m
               join private.billing_customer b on b.user_id = m.user_id
               where b.stripe_customer_id = %s and m.detached_at is null""",
            customer["id"],
        )
        default = customer["invoice_settings"]["default_payment_method"]
        theirs = {
            (each["id"], each["id"] == default, each["card"]["exp_year"])
            for each in world.objects("payment_method")
            if each["customer"] == customer["id"]
        }
        ours = {(row["id"], row["is_default"], row["expires_year"]) for row in rows}
        wrong += [f"{customer['id']}: methods {ours} for {theirs}"] if ours != theirs else []
    return wrong


def histories_differ(world: World) -> list[str]:
    ours = {
        row["event_id"]: (row["stripe_subscription_id"], row["status"], row["stripe_price_id"], row["occurred_at"])
        for row in world.rows(
            """select h.event_id, s.stripe_subscription_id, h.status::text, c.stripe_price_id, h.occurred_at
               from private.subscription_change h join private.subscription s on s.id = h.subscription_id
               join private.plan_price c on c.id = h.plan_price_id where h.event_id is not null"""
        )
    }
    wrong = []
    for event in world.objects("event"):
        if event["type"] in HISTORY:
            it = event["data"]["object"]
            price = it["items"]["data"][0]["price"]["id"]
            expected = (it["id"], it["status"].upper(), price, when(event["created"]))
            if ours.get(event["id"]) != expected:
                wrong.append(f"{event['type']}: {ours.get(event['id'])} for {expected}")
    return wrong


def notices_differ(world: World) -> list[str]:
    """Of a trial's end once; of an attempt at most once, only if it failed, and surely the latest while it matters."""
    given = Counter(
        (row["kind"], row["object_id"], row["step"]) for row in world.rows("select * from private.billing_notice")
    )
    events = world.objects("event")
    trials = {e["data"]["object"]["id"] for e in events if e["type"] == "customer.subscription.trial_will_end"}
    failed = {
        ("payment_failed", e["data"]["object"]["id"], str(e["data"]["object"]["attempt_count"]))
        for e in events
        if e["type"] == "invoice.payment_failed"
    }
    wrong = []
    for name in trials:
        notices = [key for key in given if key[:2] == ("trial_end", name)]
        wrong += [f"{name}: {notices}"] if len(notices) != 1 else []
    ids = {invoice["id"] for invoice in world.objects("invoice")}
    told = {key for key in given if key[0] == "payment_failed" and key[1] in ids}
    wrong += [f"never failed: {told - failed}"] if told - failed else []
    for invoice in world.objects("invoice"):
        attempts = {key for key in failed if key[1] == invoice["id"]}
        if invoice["status"] == "open" and attempts - told:
            wrong.append(f"{invoice['id']}: no notice of {attempts - told}")
    return wrong


def emitted(world: World) -> Counter[tuple[str, str]]:
    rows = world.rows(
        """select type, payload::text as told from private.outbox_event
           where type in ('TrialEnding', 'PaymentFailed', 'CardExpiring')"""
    )
    return Counter((row["type"], row["told"]) for row in rows)
