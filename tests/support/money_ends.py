"""What must hold of a life's sessions, credit and invoices once nothing is on its way any more."""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from tests.support.money_rules import VOID, Row, fee_of, fractions, given_back, half_up
from tests.support.on_account import charged
from tests.support.stripe_world import World


def prices_differ(w: World, people: Sequence[str], hourly: int) -> Iterator[str]:
    """Price and fee, computed again from the coach's rate."""
    for s in w.rows("select * from session where mentee_id = any (%s)", list(people)):
        price = half_up(Fraction(hourly * s["duration_minutes"], 60))
        if (s["price_amount"], s["fee_amount"]) != (price, fee_of(price)):
            yield f"session {s['id']} costs {s['price_amount']} ({s['fee_amount']}), not {price} ({fee_of(price)})"


def sessions_differ(w: World, people: Sequence[str]) -> Iterator[str]:
    """What is paid is on, or goes back as far as the policy says; what is not paid is called off."""
    intents = {row["id"]: row for row in w.objects("payment_intent")}
    for s in w.rows("select * from session where mentee_id = any (%s)", list(people)):
        for p in w.rows("select * from private.payment where session_id = %s", s["id"]):
            theirs = intents.pop(p["stripe_payment_intent_id"], None)
            paid = theirs is not None and theirs["status"] == "succeeded"
            if (p["paid_at"] is not None) != (paid or p["charge_amount"] == 0):
                yield f"{p} for {theirs}"
            elif p["paid_at"] is None:
                if p["status"] != "CANCELED" or s["status"] not in ("EXPIRED", "CANCELLED"):
                    yield f"session {s['status']} with a payment {p['status']}"
            else:
                yield from _owed(w, s, p)
            if paid and _completions(w, p) != 1:
                yield f"payment {p['id']} was told as paid {_completions(w, p)} times"
    mine = {row["id"] for row in w.objects("customer") if row["metadata"].get("user_id") in people}
    of_invoices = {row["payment"]["payment_intent"] for row in w.objects("invoice_payment")}
    for name, theirs in intents.items():
        if theirs["customer"] in mine and theirs["status"] == "succeeded" and name not in of_invoices:
            yield f"{name} is paid, and we do not know it"


def _owed(w: World, s: Row, p: Row) -> Iterator[str]:
    took_place = w.rows(
        "select 1 from session_transition where session_id = %s and to_status in ('SCHEDULED', 'COMPLETED')", s["id"]
    )
    owed = _by_policy(s) if took_place and not p["surplus"] else p["amount"]
    failed = w.rows("select 1 from private.refund where payment_id = %s and status = any (%s)", p["id"], list(VOID))
    disputed = w.rows("select 1 from private.dispute where payment_id = %s and status <> 'WON'", p["id"])
    if sum(given_back(w, p)) < owed and not failed and not disputed:
        yield f"{given_back(w, p)} given back for a session {s['status']} of which {owed} are owed"
    if not took_place and not p["surplus"] and s["status"] not in ("EXPIRED", "CANCELLED"):
        yield f"session {s['status']} without having been booked"
    if s["refund_percent"] != _percent(s) and s["cancelled_by"] != "ADMIN":
        yield f"session {s['id']} gives back {s['refund_percent']} percent"


def _percent(s: Row) -> int | None:
    if s["status"] == "NO_SHOW":
        return 100 if s["no_show_by"] == "COACH" else 0
    if s["status"] != "CANCELLED":
        return None
    late = s["cancelled_by"] == "MENTEE" and (s["starts_at"] - s["cancelled_at"]).total_seconds() < 86_400
    return 0 if late else 100


def _by_policy(s: Row) -> int:
    percent = s["refund_percent"] if s["cancelled_by"] == "ADMIN" else _percent(s)
    return half_up(Fraction(s["price_amount"] * (percent or 0), 100))


def _completions(w: World, p: Row) -> int:
    query = "select 1 from private.outbox_event where type = 'PaymentCompleted' and payload ->> 'paymentId' = %s"
    return len(w.rows(query, str(p["id"])))


def credit_differs(w: World, granted: dict[str, int]) -> Iterator[str]:
    """What was given, less what sessions took, and what came back of that."""
    for person, given in granted.items():
        spent = 0
        for p in w.rows("select * from private.payment where mentee_id = %s and status <> 'CANCELED'", person):
            spent += p["credit_amount"] - given_back(w, p)[1]
        [row] = w.rows("select coalesce(sum(balance), 0)::bigint as it from credit_account where user_id = %s", person)
        if row["it"] != given - spent:
            yield f"{person} has {row['it']} of credit, not {given} - {spent}"


def invoices_differ(w: World, people: Sequence[str]) -> Iterator[str]:
    """Each session that has ended is charged once, what it is to cost; each invoice is at Stripe once, as here."""
    rows = w.rows(
        """select s.*, a.amount, a.fee, a.session_invoice_id, a.settled_at from private.session_on_account a
           join session s on s.id = a.session_id where a.mentee_id = any (%s)""",
        list(people),
    )
    for s in rows:
        wanted = charged(s)
        if wanted is None or s["settled_at"] is None:
            if wanted is not None or s["settled_at"] is not None:
                yield f"session {s['id']} ({s['status']}) is to be charged {wanted}, and is {s['amount']}"
        elif (s["amount"], s["fee"]) != wanted:
            yield f"session {s['id']} ({s['status']}) is charged {s['amount']} with {s['fee']}, not {wanted}"
    theirs: dict[str, list[Row]] = {}
    for row in w.objects("invoice"):
        theirs.setdefault(row["metadata"].get("session_invoice_id", ""), []).append(row)
    for i in w.rows("select * from private.session_invoice where mentee_id = any (%s)", list(people)):
        lines = {str(s["id"]): s["amount"] for s in rows if s["session_invoice_id"] == i["id"]}
        made = theirs.get(str(i["id"]), [])
        if len(made) != 1 or i["sent_at"] is None:
            yield f"invoice {i['id']} ({i['error']}) is {len(made)} times at Stripe"
            continue
        [there] = made
        shown = {line["metadata"]["session_id"]: line["amount"] for line in there["lines"]["data"]}
        if not i["total"] == there["total"] == sum(shown.values()) or shown != lines:
            yield f"invoice {i['id']}: {i['total']} for {lines}, at Stripe {there['total']} for {shown}"
        yield from _invoice_paid(w, i, there)


def _invoice_paid(w: World, i: Row, there: Row) -> Iterator[str]:
    mirrored = w.rows("select * from private.invoice where session_invoice_id = %s", i["id"])
    seen = [(row["status"], row["total"], row["amount_paid"]) for row in mirrored]
    if seen != [(there["status"].upper(), there["total"], there["amount_paid"])]:
        yield f"invoice {i['id']} is mirrored as {seen}, and is {there['status']} {there['total']}"
    intents = {
        row["payment"]["payment_intent"] for row in w.objects("invoice_payment") if row["invoice"] == there["id"]
    }
    for charge in w.objects("charge"):
        if charge["payment_intent"] in intents and charge["status"] == "succeeded":
            [transfer] = [row for row in w.objects("transfer") if row["source_transaction"] == charge["id"]]
            fees = sum(
                f["amount"] for f in w.objects("application_fee") if f["originating_transaction"] == charge["id"]
            )
            if (charge["amount"], transfer["amount"], fees) != (i["total"], i["total"], i["fee"]):
                yield f"invoice {i['id']}: {charge['amount']} charged, {transfer['amount']} passed on, {fees} kept"


def fractions_told(w: World, people: Sequence[str]) -> list[str]:
    """Amounts in events that are no integers."""
    query = "select type, payload from private.outbox_event where payload ->> 'menteeId' = any (%s)"
    return [f"{row['type']}{found}" for row in w.rows(query, list(people)) for found in fractions(row["payload"])]
