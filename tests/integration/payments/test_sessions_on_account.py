"""Mentees who pay by invoice: set by an ADMIN, booked without payment, invoiced once a month, noticed when unpaid."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from tests.integration.payments.test_jobs import run
from tests.support.billing import client
from tests.support.sessions import insert_session
from tests.support.stack import SignedIn, Stack
from tests.support.story import book, iso, published_coach

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)  # a Monday
FIRST = datetime(2027, 3, 8, 15, tzinfo=UTC)
NEXT_MONTH = datetime(2027, 4, 1, 3, tzinfo=UTC)
BACK = {"returnUrl": "https://app.example.com/payouts", "refreshUrl": "https://app.example.com/payouts/again"}


@pytest.fixture
def march(frozen: Stack) -> Iterator[Stack]:
    frozen.clock(iso(NOW))
    yield frozen
    frozen.clock(None)


def terms(admin: SignedIn, mentee: SignedIn, wanted: str = "INVOICE", **more: Any) -> Any:
    account = admin.get(f"/api/admin/users/{mentee.user_id}").json()["data"]
    body = {"paymentTerms": wanted, "reason": "Framework contract 17", "version": account["version"], **more}
    return admin.patch(f"/api/admin/users/{mentee.user_id}", body)


def on_account(stack: Stack) -> SignedIn:
    mentee = stack.user()
    answer = terms(stack.user("ADMIN"), mentee)
    assert (answer.status_code, answer.json()["data"]["paymentTerms"]) == (200, "INVOICE"), answer.text
    return mentee


def paid_coach(stack: Stack, *, ready: bool = True) -> SignedIn:
    coach = published_coach(stack)
    assert coach.post("/api/coach/payouts/onboarding", BACK).status_code in (200, 201)
    if ready:
        with stack.database() as database:
            [row] = database.execute(
                "select stripe_account_id as id from private.coach_account where coach_id = %s", [coach.user_id]
            ).fetchall()
        account = {"id": row["id"], "ready": True}
        stack.http.post("/_sim/stripe/_control", json={"onboard": account}).raise_for_status()
        stack.drain()
    return coach


def held(stack: Stack, mentee: SignedIn, coach: SignedIn, day: int, *, minutes: int = 60) -> dict[str, Any]:
    """A session on that day after the first, booked and over."""
    booked = book(mentee, coach, FIRST + timedelta(days=day), minutes)
    assert booked.status_code == 201, booked.text
    session: dict[str, Any] = booked.json()["data"]
    with stack.database() as database:
        database.execute(
            "select private.move_session(%s, 'COMPLETED', 'SYSTEM', null, null, at => %s)",
            [session["id"], FIRST + timedelta(days=day, hours=5)],
        )
    return session


def invoiced(stack: Stack) -> dict[str, Any]:
    stack.clock(iso(NEXT_MONTH))
    counts = run(stack, "invoice_sessions")
    stack.drain()
    return counts


def test_terms_are_set_by_an_admin_with_version_and_reason(stack: Stack) -> None:
    admin, mentee = stack.user("ADMIN"), stack.user()
    before = admin.get(f"/api/admin/users/{mentee.user_id}").json()["data"]
    assert before["paymentTerms"] == "PREPAID"
    own = mentee.patch(f"/api/admin/users/{mentee.user_id}", {"paymentTerms": "INVOICE", "reason": "x", "version": 1})
    assert own.status_code == 403
    assert terms(admin, mentee, version=99).json()["code"] == "version_conflict"
    assert terms(admin, mentee, reason=" ").status_code == 422
    assert terms(admin, mentee, "MONTHLY").status_code == 422
    path = f"/api/admin/users/{mentee.user_id}"
    nothing = admin.patch(path, {"reason": "Nothing", "version": before["version"]})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "validation_failed")
    changed = terms(admin, mentee).json()["data"]
    assert (changed["paymentTerms"], changed["status"], changed["version"]) == (
        "INVOICE",
        "ACTIVE",
        before["version"] + 1,
    )
    assert terms(admin, mentee).json()["data"]["version"] == changed["version"]  # no change, no version
    assert terms(admin, stack.user("COACH")).json()["code"] == "not_a_mentee"
    with stack.database() as database:
        [row] = database.execute(
            """select before, after, reason, actor_id::text as actor from private.audit_log
               where table_name = 'user_account' and row_id = %s and after ? 'payment_terms' and action = 'UPDATE'""",
            [mentee.user_id],
        ).fetchall()
    assert (row["before"]["payment_terms"], row["after"]["payment_terms"]) == ("PREPAID", "INVOICE")
    assert (row["reason"], row["actor"]) == ("Framework contract 17", admin.user_id)


def test_a_month_of_sessions_becomes_one_invoice_that_the_mentee_sees(march: Stack) -> None:
    mentee, coach = on_account(march), paid_coach(march)
    sessions = [held(march, mentee, coach, 0), held(march, mentee, coach, 1, minutes=30)]
    assert [session["status"] for session in sessions] == ["SCHEDULED", "SCHEDULED"]
    waiting = book(mentee, coach, FIRST + timedelta(days=2)).json()["data"]  # never held, so not on it
    assert invoiced(march)["sent"] >= 1
    [invoice] = mentee.get("/api/invoices").json()["data"]
    assert (invoice["status"], invoice["coachId"]) == ("OPEN", coach.user_id)
    assert invoice["total"] == invoice["amountDue"] == {"amount": 22_500, "currency": "USD"}
    assert invoice["dueAt"] == iso(NEXT_MONTH + timedelta(days=14))
    detail = mentee.get(f"/api/invoices/{invoice['id']}").json()["data"]
    assert [(line["sessionId"], line["amount"]["amount"]) for line in detail["lines"]] == [
        (sessions[0]["id"], 15_000),
        (sessions[1]["id"], 7500),
    ]
    assert waiting["id"] not in str(detail)
    assert march.user().get(f"/api/invoices/{invoice['id']}").status_code == 404
    again = run(march, "invoice_sessions")
    assert (again["invoices"], again["sent"]) == (0, 0)
    api = client(march)
    [found] = [each for each in api.v1.invoices.list({"limit": 100}).data if each.number == invoice["number"]]
    method = api.v1.payment_methods.attach("pm_card_visa", {"customer": str(found.customer)}).id
    api.v1.invoices.pay(found.id, {"payment_method": method})
    march.drain()
    [paid] = mentee.get("/api/invoices").json()["data"]
    assert (paid["status"], paid["amountRemaining"]["amount"]) == ("PAID", 0)


def test_what_goes_back_of_an_invoice_is_in_the_report_of_its_coach(march: Stack) -> None:
    mentee, coach = on_account(march), paid_coach(march)
    held(march, mentee, coach, 0)
    invoiced(march)
    [invoice] = mentee.get("/api/invoices").json()["data"]
    api = client(march).v1
    [found] = [each for each in api.invoices.list({"limit": 100}).data if each.number == invoice["number"]]
    method = api.payment_methods.attach("pm_card_visa", {"customer": str(found.customer)}).id
    api.invoices.pay(found.id, {"payment_method": method})
    payments = api.invoices.retrieve(found.id, {"expand": ["payments"]}).payments
    assert payments
    intent = str(payments.data[0].payment.payment_intent)
    asked: Any = {"payment_intent": intent, "amount": 5000, "reverse_transfer": True, "refund_application_fee": True}
    api.refunds.create(asked)
    march.drain()
    period = {"from": iso(NEXT_MONTH - timedelta(days=1)), "to": iso(NEXT_MONTH + timedelta(days=1))}
    [row] = coach.get("/api/reports/revenue", params=period).json()["data"]["rows"]
    told = {name: row[name]["amount"] for name in ("gross", "fees", "refunds", "feesRefunded")}
    assert told == {"gross": 15_000, "fees": 1275, "refunds": 5000, "feesRefunded": 425}
    with march.database() as database:
        rows = database.execute(
            "select kind::text, amount from private.money_movement where invoice_id = %s", [invoice["id"]]
        ).fetchall()
    moved = {each["kind"]: each["amount"] for each in rows}
    assert moved == {
        "CHARGE": 15_000,
        "PROCESSING_FEE": -465,
        "TRANSFER": -15_000,
        "FEE": 1275,
        "REFUND": -5000,
        "REVERSAL": 5000,
        "FEE_REVERSAL": -425,
    }


def test_an_invoice_that_is_not_paid_is_noticed_once(march: Stack) -> None:
    mentee, coach = on_account(march), paid_coach(march)
    held(march, mentee, coach, 0)
    invoiced(march)
    march.clock(iso(NEXT_MONTH + timedelta(days=15)))
    march.drain()
    run(march, "reconcile_stripe")
    march.drain()
    notices = [n for n in mentee.get("/api/notifications").json()["data"] if n["type"] == "invoice_overdue"]
    assert len(notices) == 1
    assert "150.00 USD" in str(notices[0])


def test_a_coach_whom_stripe_cannot_pay_yet_waits_for_the_next_month(march: Stack) -> None:
    mentee, coach = on_account(march), paid_coach(march, ready=False)
    held(march, mentee, coach, 0)
    assert invoiced(march)["failed"] >= 1
    assert mentee.get("/api/invoices").json()["data"] == []
    with march.database() as database:
        database.execute(
            "update private.coach_account set transfers_active = true where coach_id = %s", [coach.user_id]
        )
    run(march, "invoice_sessions")
    march.drain()
    assert [each["status"] for each in mentee.get("/api/invoices").json()["data"]] == ["OPEN"]


def test_who_pays_at_once_gets_no_invoice(march: Stack) -> None:
    mentee, coach = march.user(), paid_coach(march)
    held(march, mentee, coach, 0)
    invoiced(march)
    assert mentee.get("/api/invoices").json()["data"] == []


CASES: dict[str, tuple[str, str, dict[str, Any], float, int]] = {  # what is charged of 15000: as a payment would keep
    "completed": ("COMPLETED", "SYSTEM", {}, 5, 15_000),
    "mentee cancels late": ("CANCELLED", "MENTEE", {}, -23, 15_000),
    "mentee cancels in time": ("CANCELLED", "MENTEE", {}, -24, 0),
    "coach cancels late": ("CANCELLED", "COACH", {}, -1, 0),
    "admin cancels": ("CANCELLED", "ADMIN", {}, -1, 0),
    "admin decides half": ("CANCELLED", "ADMIN", {"percent": 50}, -1, 7500),
    "mentee does not come": ("NO_SHOW", "COACH", {"no_show_by": "MENTEE"}, 0.5, 15_000),
    "coach does not come": ("NO_SHOW", "MENTEE", {"no_show_by": "COACH"}, 0.5, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_charged(stack: Stack, case: str) -> None:
    status, actor, more, hours, charged = CASES[case]
    coach, mentee = published_coach(stack), stack.user()
    with stack.database() as database:
        session = insert_session(database, coach.user_id, mentee.user_id, FIRST)
        [row] = database.execute(
            """select private.chargeable(private.move_session(%s, %s::session_status, %s::session_actor, null, null,
                        no_show_by => %s::session_actor, at => %s, percent => %s)) as charged""",
            [session, status, actor, more.get("no_show_by"), FIRST + timedelta(hours=hours), more.get("percent")],
        ).fetchall()
    assert row["charged"] == charged


def test_the_database_holds_an_invoice_to_its_sessions(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    with stack.database() as database, pytest.raises(Exception, match="its 0 sessions come to 0"):
        database.execute(
            """insert into private.session_invoice (mentee_id, coach_id, currency, month, total, fee)
               values (%s, %s, 'USD', '2027-03-01', 100, 8)""",
            [mentee.user_id, coach.user_id],
        )


def test_a_mirrored_invoice_that_is_not_its_lines_is_told_of(stack: Stack) -> None:
    mentee = stack.user()
    row: dict[str, Any] = {
        "stripe_invoice_id": f"in_{mentee.user_id}",
        "customer": f"cus_{mentee.user_id}",
        "status": "OPEN",
        "currency": "USD",
        **dict.fromkeys(("subtotal", "total", "amount_due", "amount_remaining"), 1000),
        **dict.fromkeys(("period_start", "period_end", "created_at"), iso(NOW)),
        "amount_paid": 0,
        "attempt_count": 0,
        "lines": [{"amount": 900, "proration": False, "period_start": iso(NOW), "period_end": iso(NOW)}],
    }
    with stack.database() as database:
        database.execute(
            "insert into private.billing_customer (user_id, stripe_customer_id) values (%s, %s)",
            [mentee.user_id, row["customer"]],
        )
        database.execute("select set_config('request.jwt.claims', '{\"role\": \"service_role\"}', false)")
        told = []
        for lines in ([900], [900, 100]):
            row["lines"] = [{**row["lines"][0], "amount": amount} for amount in lines]
            row["attempt_count"] += 1  # another state of it
            [answer] = database.execute(
                "select public.mirror_invoices(%s, public.stripe_write_position()) as answer", [Jsonb([row])]
            ).fetchall()
            told.append(answer["answer"]["body"]["unbalanced"])
    assert told == [[row["stripe_invoice_id"]], []]
