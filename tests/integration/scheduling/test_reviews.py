"""What mentees say of sessions: once, of what was held, and hidden by an ADMIN alone."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.support.stack import SignedIn, Stack
from tests.support.story import at, book, complete_sessions, next_weekday, published_coach


def held_session(stack: Stack, coach: SignedIn, mentee: SignedIn, *, day: int = 0, completed: bool = True) -> str:
    booked = book(mentee, coach, at(next_weekday() + timedelta(days=day), "10:00"))
    assert booked.status_code == 201, booked.text
    if completed:
        complete_sessions(stack, coach)
    found: str = booked.json()["data"]["id"]
    return found


def review(mentee: SignedIn, session_id: str, rating: Any = 5, **more: Any) -> Any:
    key = more.pop("key", None)
    return mentee.post(f"/api/sessions/{session_id}/review", {"rating": rating, **more}, key=key)


def test_a_review_is_shown_to_everyone_by_first_name_alone(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user(first_name="Mia", last_name="Secret")
    session_id = held_session(stack, coach, mentee)
    posted = review(mentee, session_id, 4, text="A plan for the quarter.")
    assert posted.status_code == 201, posted.text
    assert posted.headers["location"] == f"/api/sessions/{session_id}/review"
    for who in (mentee, coach, stack.user("ADMIN")):
        assert who.get(f"/api/sessions/{session_id}/review").json()["data"] == posted.json()["data"]
    assert stack.user().get(f"/api/sessions/{session_id}/review").status_code == 404

    public = stack.http.get(f"/api/coach/{coach.user_id}/reviews")
    assert public.json()["data"] == [
        {
            "id": posted.json()["data"]["id"],
            "rating": 4,
            "text": "A plan for the quarter.",
            "author": "Mia",
            "createdAt": posted.json()["data"]["createdAt"],
        }
    ]
    assert "Secret" not in public.text
    assert mentee.user_id not in public.text
    shown = stack.http.get(f"/api/coach/{coach.user_id}").json()["data"]
    assert (shown["averageRating"], shown["reviewCount"], shown["completedSessions"]) == (4.0, 1, 1)


@pytest.mark.parametrize("body", [{"rating": 0}, {"rating": 6}, {"rating": 4.5}, {"rating": "5"}, {}, {"rating": None}])
def test_a_rating_is_one_of_five(stack: Stack, body: dict[str, Any]) -> None:
    answer = stack.user().post(f"/api/sessions/{uuid4()}/review", body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "#/rating")


def test_only_the_mentee_of_a_completed_session_reviews_it_and_once(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    session_id = held_session(stack, coach, mentee, completed=False)
    early = review(mentee, session_id)
    assert (early.status_code, early.json()["code"]) == (409, "session_not_completed")
    assert "SCHEDULED" in early.json()["detail"]
    complete_sessions(stack, coach)
    assert review(stack.user(), session_id).json()["code"] == "not_found"
    assert review(stack.user("ADMIN", "MENTEE"), session_id).status_code == 404
    assert review(coach, session_id).status_code == 403
    with stack.database() as database:
        database.execute("insert into user_role (user_id, role) values (%s, 'MENTEE')", [coach.user_id])
    assert review(coach, session_id).json()["detail"] == "Only the mentee of a session reviews it."

    key = uuid4().hex
    first = review(mentee, session_id, 5, key=key)
    assert (first.status_code, review(mentee, session_id, 5, key=key).json()) == (201, first.json())
    again = review(mentee, session_id, 1)
    assert (again.status_code, again.json()["code"]) == (409, "already_reviewed")
    long = review(mentee, session_id, 5, text="x" * 2001)
    assert (long.status_code, long.json()["errors"][0]["pointer"]) == (422, "#/text")


def test_of_ten_reviews_at_once_one_is_kept(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    session_id = held_session(stack, coach, mentee)
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda rating: review(mentee, session_id, rating), [1, 2, 3, 4, 5] * 2))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 9
    assert stack.http.get(f"/api/coach/{coach.user_id}").json()["data"]["reviewCount"] == 1


def test_an_admin_hides_a_review_and_it_counts_no_more(stack: Stack) -> None:
    coach, mentee, admin = published_coach(stack), stack.user(), stack.user("ADMIN")
    one, two = (held_session(stack, coach, mentee, day=day) for day in (0, 1))
    hidden = review(mentee, one, 1, text="Rude words").json()["data"]
    assert review(mentee, two, 4).status_code == 201
    path = f"/api/coach/{coach.user_id}/reviews"
    order = {"status": "HIDDEN", "reason": "Rude words", "version": 1}
    assert coach.patch(f"{path}/{hidden['id']}", order).status_code == 403
    assert admin.patch(f"/api/coach/{mentee.user_id}/reviews/{hidden['id']}", order).status_code == 404
    assert admin.patch(f"{path}/{hidden['id']}", order).json()["data"]["status"] == "HIDDEN"
    stale = admin.patch(f"{path}/{hidden['id']}", order)
    assert (stale.status_code, stale.json()["code"]) == (409, "version_conflict")
    assert [each["rating"] for each in stack.http.get(path).json()["data"]] == [4]
    shown = stack.http.get(f"/api/coach/{coach.user_id}").json()["data"]
    assert (shown["averageRating"], shown["reviewCount"]) == (4.0, 1)
    assert mentee.get(f"/api/sessions/{one}/review").json()["data"]["status"] == "HIDDEN"
    with stack.database() as database:
        row = database.execute(
            """select reason, actor_id::text, after from private.audit_log
               where table_name = 'review' and row_id = %s and action = 'UPDATE'""",
            [hidden["id"]],
        ).fetchone()
    assert row == {"reason": "Rude words", "actor_id": admin.user_id, "after": row and row["after"]}
    assert row["after"]["status"] == "HIDDEN"

    back = {"status": "PUBLISHED", "reason": "Appealed", "version": 2}
    assert admin.patch(f"{path}/{hidden['id']}", back).status_code == 200
    assert stack.http.get(f"/api/coach/{coach.user_id}").json()["data"]["averageRating"] == 2.5


def test_reviews_page_by_cursor_without_gaps_or_repeats(stack: Stack) -> None:
    coach, mentee = published_coach(stack), stack.user()
    sessions = [held_session(stack, coach, mentee, day=day) for day in range(4)]
    posted = [review(mentee, session_id, 5).json()["data"]["id"] for session_id in sessions]
    path, seen, cursor = f"/api/coach/{coach.user_id}/reviews", [], None
    while True:
        answer = stack.http.get(path, params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["id"] for each in answer["data"]]
        if not (cursor := answer["nextCursor"]):
            break
    assert seen == posted[::-1]
    foreign = stack.http.get(path, params={"cursor": "WyJ4Il0"})
    assert (foreign.status_code, foreign.json()["errors"][0]["parameter"]) == (422, "cursor")
    assert stack.http.get(f"/api/coach/{uuid4()}/reviews").status_code == 404
