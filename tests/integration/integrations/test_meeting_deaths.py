"""A worker killed (SIGKILL) in any step of a meeting: whether Zoom has carried the step out, or never heard of it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.integrations.test_meetings import DAY, consume, moved
from tests.support.processes import kill_workers
from tests.support.stack import SignedIn, Stack, wait_until
from tests.support.story import at, book, iso, published_coach
from tests.support.zoom import ZoomAccount, meeting_row, ready

CREATE, UPDATE, DELETE = "POST /v2/users/{user}/meetings", "PATCH /v2/meetings/{id}", "DELETE /v2/meetings/{id}"
LONG_MS = 20_000
LATER = at(DAY, "14:30")


def faults_left(zoom: ZoomAccount) -> int:
    """How many more calls the fault that is set will hit."""
    left: int = zoom.control().json()["faults"][0]["times"]
    return left


def back_to_life(stack: Stack, session_id: str) -> None:
    """What minutes do: the lease of one that died runs out, the job looks for what is due."""
    with stack.database() as database:
        database.execute(
            """update private.meeting set leased_until = now() - interval '1 second', due_at = now()
               where session_id = %s and (leased_until > now() or due_at > now())""",
            [session_id],
        )
    stack.drain()
    answer = stack.http.post("/_dev/invoke/reconcile_meetings", json={}).json()
    assert "result" in answer, answer


@pytest.mark.parametrize("carried_out", [True, False])
@pytest.mark.parametrize("call", [CREATE, UPDATE, DELETE])
def test_a_worker_that_is_killed_in_a_step_leaves_one_meeting_as_the_session_is(
    stack: Stack, zoom: ZoomAccount, call: str, carried_out: bool
) -> None:
    coach, mentee = published_coach(stack), stack.user()
    steps = _steps(stack, zoom, coach, mentee)
    begin, told = steps[call]
    if call != CREATE:
        ready(stack, steps[CREATE][0]())
    zoom.fault(call, "delay-after" if carried_out else "timeout", delayMs=LONG_MS)

    session_id = begin()
    wait_until(lambda: faults_left(zoom) == 0 and (told() or not carried_out), what="the step")
    assert told() == carried_out
    assert kill_workers(stack, "consumers/meeting_events") >= 1
    zoom.control(faults=[])
    back_to_life(stack, session_id)

    wait_until(lambda: stack.drain() and told() and _settled(stack, session_id), what="the meeting as it should be")
    consume(stack, session_id)
    assert len(zoom.meetings(coach)) == (0 if call == DELETE else 1)


def _steps(
    stack: Stack, zoom: ZoomAccount, coach: SignedIn, mentee: SignedIn
) -> dict[str, tuple[Callable[[], str], Callable[[], bool]]]:
    """For each step what starts it, which gives the session, and whether Zoom has carried it out."""
    made: list[str] = []

    def booked() -> str:
        answer = book(mentee, coach, at(DAY, "10:00"))
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["data"]["id"])
        return made[0]

    def later() -> str:
        moved(stack, made[0], LATER)
        return made[0]

    def cancelled() -> str:
        assert mentee.post(f"/api/sessions/{made[0]}/cancel", {"reason": "A viewing"}).status_code == 200
        return made[0]

    return {
        CREATE: (booked, lambda: len(zoom.meetings(coach)) > 0),
        UPDATE: (later, lambda: zoom.meetings(coach)[0]["start_time"] == iso(LATER)),
        DELETE: (cancelled, lambda: not zoom.meetings(coach)),
    }


def _settled(stack: Stack, session_id: str) -> bool:
    """Nothing is under way, and what the row says is recorded."""
    row: dict[str, Any] = meeting_row(stack, session_id)
    return bool(row["leased_until"] is None and (row["zoom_id"] or row["deleted_at"]))


def test_a_cancelled_session_s_meeting_is_deleted_by_one_call(stack: Stack, zoom: ZoomAccount) -> None:
    coach, mentee = published_coach(stack), stack.user()
    session_id = book(mentee, coach, at(DAY, "10:00")).json()["data"]["id"]
    ready(stack, session_id)
    zoom.fault(DELETE, "delay", times=50, delayMs=200)  # so that all of them meet in it
    assert mentee.post(f"/api/sessions/{session_id}/cancel", {"reason": "A viewing"}).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: consume(stack, session_id), range(24)))
    stack.drain()
    assert all(answer == {"result": {"batchItemFailures": []}} for answer in answers)
    assert faults_left(zoom) == 49
    assert zoom.meetings(coach) == []
