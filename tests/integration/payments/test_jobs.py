"""Jobs of billing: what webhooks missed, what a crash left, the day's figures; each run again does nothing twice."""

from typing import Any

from tests.support.billing import client, current, pays, plan, subscribe, subscriber
from tests.support.stack import Stack


def run(stack: Stack, job: str) -> dict[str, Any]:
    answer = stack.http.post(f"/_dev/invoke/{job}", json={}).json()
    assert "result" in answer, answer
    result: dict[str, Any] = answer["result"]
    return result


def dropped(stack: Stack, times: int = 100) -> None:
    fault = {"on": "webhook", "kind": "drop", "times": times}
    stack.http.post("/_sim/stripe/_control", json={"faults": [fault] if times else []}).raise_for_status()


def test_events_that_never_arrived_are_fetched_by_reconcile_stripe(stack: Stack) -> None:
    mentee = stack.user()
    asked = subscribe(mentee, plan(stack)["id"]).json()["data"]
    stack.drain()
    dropped(stack)
    try:
        pays(stack, asked["clientSecret"])
    finally:
        dropped(stack, 0)
    assert current(mentee, asked["id"])["status"] == "INCOMPLETE"
    run(stack, "reconcile_stripe")
    stack.drain()
    assert current(mentee, asked["id"])["status"] == "ACTIVE"
    assert run(stack, "reconcile_stripe")["drifted"] == 0
    with stack.database() as database:
        rows = database.execute(
            """select status::text from private.subscription_change
               where subscription_id = %s order by occurred_at, status""",
            [asked["id"]],
        ).fetchall()
    # Stripe's times are whole seconds: both may have happened at one.
    assert sorted(row["status"] for row in rows) == ["ACTIVE", "INCOMPLETE"]


def test_a_lost_command_is_finished_by_finish_stripe_commands(stack: Stack) -> None:
    mentee, bought = stack.user(), plan(stack)["id"]
    fault = {"on": "POST /v1/subscriptions", "kind": "500-after", "times": 3}
    stack.http.post("/_sim/stripe/_control", json={"faults": [fault]}).raise_for_status()
    lost = subscribe(mentee, bought)
    assert (lost.status_code, lost.json()["code"]) == (503, "unavailable")
    stack.http.post("/_sim/stripe/_control", json={"faults": []}).raise_for_status()
    with stack.database() as database:
        database.execute(
            "update private.stripe_command set sent_at = sent_at - interval '30 hours' where state = 'SENT'"
        )
    assert run(stack, "finish_stripe_commands")["done"] == 1
    stack.drain()
    [subscription] = mentee.get("/api/subscriptions").json()["data"]
    customer = next(
        each.id
        for each in client(stack).v1.customers.list({"limit": 100}).auto_paging_iter()
        if each.metadata and each.metadata.to_dict().get("user_id") == mentee.user_id
    )
    made = client(stack).v1.subscriptions.list({"customer": customer, "status": "all"}).data
    assert [each.metadata.to_dict()["subscription_id"] for each in made] == [subscription["id"]]
    assert run(stack, "finish_stripe_commands")["done"] == 0


def test_a_plan_that_stripe_could_not_take_is_for_sale_later(stack: Stack) -> None:
    admin = stack.user("ADMIN")
    stack.http.post(
        "/_sim/stripe/_control", json={"faults": [{"on": "POST /v1/prices", "kind": "500", "times": 3}]}
    ).raise_for_status()
    body = {"name": "Late", "price": {"amount": 500, "currency": "USD"}}
    refused = admin.post("/api/plans", body, key="late-plan")
    assert refused.status_code == 503
    stack.http.post("/_sim/stripe/_control", json={"faults": []}).raise_for_status()
    assert run(stack, "finish_stripe_commands")["plans"] >= 1
    again = admin.post("/api/plans", body, key="late-plan")
    assert (again.status_code, again.json()["data"]["purchasable"]) == (201, True)


def test_close_billing_day_counts_and_gives_each_notice_once(stack: Stack) -> None:
    mentee, subscription = subscriber(stack, plan(stack)["id"])
    [method] = mentee.get("/api/payment-methods").json()["data"]
    with stack.database() as database:
        row = database.execute(
            "select stripe_payment_method_id as id from private.payment_method where id = %s", [method["id"]]
        ).fetchone()
        assert row
    mentee.post(f"/api/payment-methods/{method['id']}/default")
    stack.http.post("/_sim/stripe/_control", json={"expireCard": row["id"]}).raise_for_status()
    stack.drain()
    first, second = run(stack, "close_billing_day"), run(stack, "close_billing_day")
    assert (first["cards"] >= 1, second["cards"]) == (True, 0)
    assert subscription["status"] == "ACTIVE"
