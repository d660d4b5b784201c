"""What must hold of money, whatever has happened: sentences about what does not, and none when all of it holds.

`broken` at any moment; the others once nothing is on its way any more: then what we have is what Stripe has, to the
cent. What they compare with is counted again from Stripe's objects and the terms of sessions, not by the code tested.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from tests.support.stripe_world import World

FEE_BPS = 850
VOID = ("FAILED", "CANCELED")  # of refunds: what has not gone back
Row = dict[str, Any]

_AT_ANY_MOMENT = {
    "live payments of one session": """
        select session_id, count(*) from private.payment
        where mentee_id = any (%(people)s) and status <> 'CANCELED' and not surplus
        group by session_id having count(*) > 1""",
    "fee and coach's share are not the price": """
        select p.id from private.payment p join session s on s.id = p.session_id
        where p.mentee_id = any (%(people)s) and not p.surplus
          and ((p.amount, p.fee_amount) is distinct from (s.price_amount::bigint, s.fee_amount::bigint)
            or p.credit_amount + p.charge_amount <> p.amount
            or p.charge_amount - p.application_fee_amount + p.top_up_amount <> p.amount - p.fee_amount)""",
    "more is given back than was paid": """
        select p.id from private.payment p join private.refund r on r.payment_id = p.id
        where p.mentee_id = any (%(people)s)
        group by p.id having
          sum(r.amount) filter (where r.status not in ('FAILED', 'CANCELED') and r.stripe_refund_id is not null)
            > p.paid_amount
          or sum(r.credit_amount)
              filter (where r.status not in ('FAILED', 'CANCELED') or r.stripe_refund_id is not null)
            > p.credit_amount
          or p.refunded_amount > p.paid_amount""",
    "told twice": """
        select e.type, e.payload from private.outbox_event e
        where e.payload ->> 'menteeId' = any (%(people)s::text[])
          and e.type not in ('PaymentDeclined', 'SessionReminderDue')
        group by e.type, e.payload having count(*) > 1""",
    "told of a session twice": """
        select e.type, e.payload ->> 'sessionId' from private.outbox_event e
        where e.payload ->> 'menteeId' = any (%(people)s::text[])
          and e.type like 'Session%%' and e.type <> 'SessionReminderDue'
        group by 1, 2 having count(*) > 1""",
    "told of a payment, refund or dispute twice": """
        select e.type, e.payload ->> 'paymentId' from private.outbox_event e
        where e.payload ->> 'menteeId' = any (%(people)s::text[])
          and e.type in ('PaymentCompleted', 'PaymentCanceled', 'RefundSucceeded', 'RefundFailed', 'DisputeClosed')
        group by 1, 2, coalesce(e.payload ->> 'refundId', e.payload ->> 'disputeId') having count(*) > 1""",
    "credit below nothing, or not the sum of its entries": """
        select a.user_id from credit_account a where a.user_id = any (%(people)s)
          and (a.balance < 0 or a.balance <> (
            select coalesce(sum(e.amount), 0) from credit_entry e
            where e.user_id = a.user_id and e.currency = a.currency))""",
    "more credit came back than went": """
        select e.session_id from credit_entry e where e.user_id = any (%(people)s) and e.session_id is not null
        group by 1 having sum(e.amount) > 0""",
    "an invoice is not its sessions": """
        select i.id from private.session_invoice i left join private.session_on_account a on a.session_invoice_id = i.id
        where i.mentee_id = any (%(people)s)
        group by i.id having (i.total, i.fee) is distinct from (sum(a.amount)::bigint, sum(a.fee)::bigint)""",
    "a mirrored invoice is not its lines": """
        select i.stripe_invoice_id from private.invoice i left join private.invoice_line l on l.invoice_id = i.id
        where i.user_id = any (%(people)s)
        group by i.id having i.subtotal <> coalesce(sum(l.amount), 0)""",
}
_EVERYTHING = "\nunion all\n".join(
    f"select '{name.replace(chr(39), chr(39) * 2)}' as wrong, to_jsonb(t)::text as row from ({query}) t"  # noqa: S608 - of this module
    for name, query in _AT_ANY_MOMENT.items()
)


def broken(w: World, people: Sequence[str]) -> list[str]:
    """Of these mentees, at any moment."""
    with w.stack.database() as database:
        rows = database.execute(_EVERYTHING, {"people": list(people)}).fetchall()
    return [f"{row['wrong']}: {row['row']}" for row in rows]


def half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


def fee_of(price: int) -> int:
    return half_up(Fraction(price * FEE_BPS, 10_000))


# ---- Of one payment


def refunds_differ(w: World, p: Row) -> Iterator[str]:
    """Each refund once at Stripe, as it is there; what it gave back is what we say, in money and in credit."""
    rows = w.rows("select * from private.refund where payment_id = %s", p["id"])
    theirs = [row for row in w.objects("refund") if row["charge"] == p["stripe_charge_id"]]
    ours = {row["stripe_refund_id"]: (row["status"], row["amount"]) for row in rows if row["stripe_refund_id"]}
    if ours != (there := {row["id"]: (row["status"].upper(), row["amount"]) for row in theirs}):
        yield f"refunds {ours} for {there}"
    made = Counter(row["metadata"]["refund_id"] for row in theirs if (row["metadata"] or {}).get("refund_id"))
    yield from (f"made twice: {name}" for name, times in made.items() if times > 1)
    for charge in _of("charge", w, p["stripe_charge_id"]):
        if (p["refunded_amount"], p["paid_amount"]) != (charge["amount_refunded"], charge["amount"]):
            yield f"{p['refunded_amount']} of {p['paid_amount']} for {charge['amount_refunded']}"
    elsewhere = any(not (row["metadata"] or {}).get("refund_id") for row in theirs)
    for row in rows:
        if row["stripe_refund_id"] is None and row["amount"] and row["status"] not in VOID:
            yield f"nobody asked for {row}"
        if row["failure_reason"] == "payment_refused" and not elsewhere:
            yield f"Stripe was asked for what cannot be: {row}"
        told = [each["type"] for each in _told(w, "refundId", row["id"])]
        want = {"SUCCEEDED": "RefundSucceeded", "FAILED": "RefundFailed"}.get(row["status"])
        if want and told.count(want) != 1:
            yield f"a refund that {row['status']} was told as {told}"


def given_back(w: World, p: Row) -> tuple[int, int]:
    """Money, and credit, which stays with the payer when the money that went with it does not arrive."""
    rows = w.rows("select * from private.refund where payment_id = %s", p["id"])
    money = sum(row["amount"] for row in rows if row["status"] not in VOID)
    return money, sum(row["credit_amount"] for row in rows if row["status"] not in VOID or row["stripe_refund_id"])


def disputes_differ(w: World, p: Row) -> Iterator[str]:
    """As Stripe has them, told once; of a lost one the coach keeps what the platform gave back at its own cost."""
    rows = w.rows("select * from private.dispute where payment_id = %s", p["id"])
    ours = {row["stripe_dispute_id"]: row["status"] for row in rows}
    theirs = {
        row["id"]: row["status"].upper() for row in w.objects("dispute") if row["charge"] == p["stripe_charge_id"]
    }
    if ours != theirs:
        yield f"disputes {ours} for {theirs}"
    if "LOST" in theirs.values():
        borne = sum(
            row["amount"]
            for row in w.objects("refund")
            if row["charge"] == p["stripe_charge_id"] and not row["transfer_reversal"]
        )
        for transfer in _transfers(w, p["stripe_charge_id"]):
            if transfer["amount"] - transfer["amount_reversed"] > borne:
                yield f"lost, and {transfer['amount_reversed']} of {transfer['amount']} taken back"
    for row in rows:
        told = Counter(each["type"] for each in _told(w, "disputeId", row["id"]))
        if told["DisputeOpened"] not in (1, 2) or told["DisputeClosed"] != (row["closed_at"] is not None):
            yield f"dispute {row['stripe_dispute_id']} ({row['status']}) was told as {dict(told)}"


def shares_differ(w: World, p: Row) -> Iterator[str]:
    """The coach has the price less the fee, whatever paid it; and of what went back his part went back."""
    if p["paid_at"] is None:
        return
    transfers, top_ups = _transfers(w, p["stripe_charge_id"]), _top_ups(w, p)
    fees = [fee for fee in w.objects("application_fee") if fee["originating_transaction"] == p["stripe_charge_id"]]
    got = {
        "transfer": (sum(each["amount"] for each in transfers), p["charge_amount"]),
        "fee": (sum(each["amount"] for each in fees), p["application_fee_amount"]),
    }
    if top_ups or p["status"] != "REFUNDED":  # what went back before the coach could be paid is not paid any more
        got["top-up"] = (sum(each["amount"] for each in top_ups), p["top_up_amount"])
    yield from (f"{what} of {it}, not of {wanted}" for what, (it, wanted) in got.items() if it != wanted)
    money, credit = given_back(w, p)
    theirs = [row for row in w.objects("refund") if row["charge"] == p["stripe_charge_id"]]
    smooth = all(row["status"] not in ("failed", "canceled") and row["metadata"] for row in theirs)
    lost = any(row["charge"] == p["stripe_charge_id"] and row["status"] == "lost" for row in w.objects("dispute"))
    for transfer in transfers:
        taken = transfer["amount_reversed"]
        if smooth and not lost and taken != money:
            yield f"{taken} of the coach's taken back for {money}"
        if taken < sum(
            row["amount"] for row in theirs if row["status"] not in ("failed", "canceled") and row["metadata"]
        ):
            yield f"only {taken} of the coach's taken back for {money}"
    for fee in fees:
        back = half_up(Fraction(fee["amount"] * money, p["charge_amount"]))
        if smooth and not lost and fee["amount_refunded"] != back:
            yield f"{fee['amount_refunded']} of the fee went back, not {back}"
    for top_up in top_ups:
        back = half_up(Fraction(top_up["amount"] * (money + credit), p["amount"]))
        if smooth and abs(top_up["amount_reversed"] - back) > 0:
            yield f"{top_up['amount_reversed']} of the top-up taken back, not {back}"


def payments_differ(w: World, p: Row) -> list[str]:
    """All that is true of every payment once nothing is open."""
    checks = (refunds_differ(w, p), disputes_differ(w, p), shares_differ(w, p))
    return [f"payment {p['id']}: {found}" for check in checks for found in check]


def open_commands(w: World) -> list[str]:
    # Jobs look after everybody's sessions, also those of other tests, whose payments this Stripe does not know.
    known = [None, *(row["id"] for row in w.objects("payment_intent"))]
    query = """select kind, error, parameters ->> 'payment_intent' as intent from private.stripe_command
               where state = 'SENT' and id::text <> all (%s)"""
    return [f"open: {row}" for row in w.rows(query, w.left_by_others) if row["intent"] in known]


# ---- Of the platform's balance

# What giving back moves, of all that moves it.
GIVING_BACK = ("refund", "refund_failure", "transfer_refund", "application_fee_refund", "adjustment")


def movements_differ(w: World, kinds: Iterable[str] | None = GIVING_BACK) -> list[str]:
    """Balance transactions of Stripe's that our movements do not add up to; None: of every kind."""
    ours = {
        row["id"]: row["net"]
        for row in w.rows(
            """select balance_transaction_id as id, sum(amount)::bigint as net from private.money_movement group by 1"""
        )
    }
    theirs = {
        row["id"]: row["net"] for row in w.objects("balance_transaction") if kinds is None or row["type"] in kinds
    }
    return [f"{name}: {ours.get(name)} for {net}" for name, net in theirs.items() if ours.get(name) != net]


def owners_differ(w: World) -> list[str]:
    """Movements that are not of the payment or invoice that caused them, or of none."""
    invoices = {row["stripe_invoice_id"]: str(row["id"]) for row in w.rows("select * from private.invoice")}
    intents = {row["payment"]["payment_intent"]: row["invoice"] for row in w.objects("invoice_payment")}
    owner: dict[str | None, tuple[str, str]] = {
        row["id"]: ("None", invoices.get(intents[row["payment_intent"]], "unknown"))
        for row in w.objects("charge")
        if row["payment_intent"] in intents
    }
    for row in w.rows("select id::text, stripe_charge_id as charge from private.payment"):
        owner |= {name: (row["id"], "None") for name in (row["charge"], row["id"]) if name}
    cause = _causes(w)
    return [
        f"{row['kind']} {row['stripe_id']} is of {found}, not of {owner[cause[row['stripe_id']]]}"
        for row in w.rows("select * from private.money_movement")
        if cause.get(row["stripe_id"]) in owner
        and (found := (str(row["payment_id"]), str(row["invoice_id"]))) != owner[cause[row["stripe_id"]]]
    ]


def _causes(w: World) -> dict[str, str | None]:
    """By what moved money: the charge that it belongs to, or the payment whose credit caused it."""
    cause: dict[str, str | None] = {row["id"]: row["id"] for row in w.objects("charge")}
    for row in w.objects("transfer"):
        cause[row["id"]] = row["source_transaction"] or row["metadata"].get("payment_id")
    cause |= {row["id"]: row["originating_transaction"] for row in w.objects("application_fee")}
    cause |= {row["id"]: row["charge"] for row in w.objects("refund")}
    cause |= {row["id"]: cause[row["transfer"]] for row in w.objects("transfer_reversal")}
    cause |= {row["id"]: cause[row["fee"]] for row in w.objects("fee_refund")}
    for row in w.objects("dispute"):
        cause |= {each["id"]: row["charge"] for each in row["balance_transactions"]}
    return cause


# ---- No float anywhere


def fractions(value: Any, at: str = "") -> Iterator[str]:
    """Amounts that are no integers, wherever they are in a value."""
    match value:
        case {"amount": amount, "currency": str()} if type(amount) is not int:
            yield f"{at}: {amount!r}"
        case dict():
            for key, each in value.items():
                yield from fractions(each, f"{at}/{key}")
        case list() | tuple():
            for index, each in enumerate(value):
                yield from fractions(each, f"{at}/{index}")
        case float():
            yield f"{at}: {value!r}"


def _of(kind: str, w: World, name: str | None) -> list[Row]:
    return [row for row in w.objects(kind) if row["id"] == name]


def _transfers(w: World, charge: str | None) -> list[Row]:
    return [row for row in w.objects("transfer") if charge and row["source_transaction"] == charge]


def _top_ups(w: World, p: Row) -> list[Row]:
    return [
        row
        for row in w.objects("transfer")
        if row["id"] == p["stripe_top_up_id"] or (row["metadata"] or {}).get("payment_id") == str(p["id"])
    ]


def _told(w: World, member: str, name: Any) -> list[Row]:
    return w.rows("select type, payload from private.outbox_event where payload ->> %s = %s", member, str(name))
