"""What a user was told and wants to be told; the links of e-mails that stop them."""

import hashlib
import hmac
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest

from tests.support.notifications import GONE, link_of, mails, tell, told
from tests.support.stack import SignedIn, Stack

PREFERENCES = "/api/notifications/preferences"
UNSUBSCRIBE = "/api/notifications/unsubscribe"
KIND = "role_request_approved"


def choice(kind: str = KIND, *, in_app: bool = True, email: bool = True) -> dict[str, Any]:
    return {"type": kind, "inApp": in_app, "email": email}


def chosen(user: SignedIn, kind: str = KIND) -> dict[str, Any]:
    types = user.get(PREFERENCES).json()["data"]["types"]
    return next(each for each in types if each["type"] == kind)


def approve(stack: Stack, user: SignedIn) -> None:
    assert tell(stack, "RoleRequestApproved", {"userId": user.user_id, "role": "COACH", "reason": "Checked"}) == []


def approvals(user: SignedIn) -> list[Any]:
    return [each for each in user.get("/api/notifications").json()["data"] if each["type"] == KIND]


def test_a_list_pages_and_counts_what_is_unread(stack: Stack) -> None:
    user, stranger = stack.user(), stack.user()
    ids = [told(stack, user) for _ in range(5)]
    first = user.get("/api/notifications?limit=3").json()
    second = user.get("/api/notifications", params={"limit": 3, "cursor": first["nextCursor"]}).json()
    assert [each["id"] for each in first["data"] + second["data"]] == ids[::-1]
    assert (first["unread"], second["unread"], second["nextCursor"]) == (5, 5, None)
    key = uuid4().hex
    read = user.post(f"/api/notifications/{ids[0]}/read", key=key).json()["data"]
    assert read["readAt"] is not None
    assert user.post(f"/api/notifications/{ids[0]}/read", key=key).json()["data"] == read
    assert user.post(f"/api/notifications/{ids[0]}/read").json()["data"]["readAt"] == read["readAt"]
    assert user.post(f"/api/notifications/{ids[1]}/read", key=key).json()["code"] == "idempotency_key_reused"
    unread = user.get("/api/notifications?unread=true").json()
    assert [each["id"] for each in unread["data"]] == ids[:0:-1]
    assert stranger.post(f"/api/notifications/{ids[1]}/read").status_code == 404
    assert user.post("/api/notifications/read-all").json()["data"] == {"read": 4}
    assert user.get("/api/notifications").json()["unread"] == 0


def test_choices_are_kept_and_respected(stack: Stack) -> None:
    user = stack.user()
    assert user.get(PREFERENCES).json()["data"]["version"] == 0
    for in_app, email, version in ((True, False, 0), (False, True, 1), (False, False, 2)):
        told_before, mailed_before = len(approvals(user)), len(mails(stack, user))
        answer = user.put(PREFERENCES, {"types": [choice(in_app=in_app, email=email)], "version": version})
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["version"] == version + 1
        approve(stack, user)
        assert len(approvals(user)) - told_before == in_app
        assert len(mails(stack, user)) - mailed_before == email
    user.put(PREFERENCES, {"types": [], "version": 3})
    assert (chosen(user)["inApp"], chosen(user)["email"]) == (True, True)


def test_of_two_first_choices_at_once_one_is_told_of_the_other(stack: Stack) -> None:
    user = stack.user()
    body = {"types": [choice(email=False)], "version": 0}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: user.put(PREFERENCES, body).status_code, range(4)))
    assert sorted(answers) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    "body",
    [
        {"types": [choice("no_such_type")], "version": 0},
        {"types": [choice(), choice()], "version": 0},
        {"types": [choice("roles_changed", email=False)], "version": 0},
        {"types": [{"type": KIND, "email": "no", "inApp": True}], "version": 0},
        {"types": [{"type": KIND, "email": True}], "version": 0},
        {"types": [choice()]},
        {"types": [choice()], "version": -1},
        {"types": {}, "version": 0},
    ],
)
def test_choices_that_cannot_be_are_422(stack: Stack, body: dict[str, Any]) -> None:
    user = stack.user()
    answer = user.put(PREFERENCES, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text
    assert user.get(PREFERENCES).json()["data"]["version"] == 0


def mailed(stack: Stack) -> tuple[SignedIn, str]:
    """A user, and the unsubscribe link in an e-mail to him."""
    user = stack.user()
    approve(stack, user)
    [mail] = mails(stack, user)
    return user, link_of(mail)


def test_a_followed_link_asks_and_only_its_button_acts(stack: Stack) -> None:
    user, link = mailed(stack)
    for _ in range(2):
        page = stack.http.get(link)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert '<form method="post">' in page.text
        assert "default-src 'none'" in page.headers["content-security-policy"]
    assert chosen(user)["email"] is True
    version = user.get(PREFERENCES).json()["data"]["version"]
    for _ in range(2):
        done = stack.http.post(link, data={"List-Unsubscribe": "One-Click"})
        assert (done.status_code, "Done" in done.text) == (200, True)
    assert (chosen(user)["email"], chosen(user)["inApp"]) == (False, True)
    assert user.get(PREFERENCES).json()["data"]["version"] == version + 1
    approve(stack, user)
    assert (len(mails(stack, user)), len(approvals(user))) == (1, 2)


def test_one_click_as_multipart_and_without_a_body_counts_too(stack: Stack) -> None:
    for options in ({"files": {"List-Unsubscribe": (None, "One-Click")}}, {}):
        user, link = mailed(stack)
        assert stack.http.post(link, **options).status_code == 200  # type: ignore[arg-type]  # of several types
        assert chosen(user)["email"] is False


def test_a_link_that_was_tampered_with_does_nothing(stack: Stack) -> None:
    (user, link), (other, _) = mailed(stack), mailed(stack)
    token = link.split("token=")[1]
    person, kind, signature = token.split(".")
    flipped = ("0" if signature[0] != "0" else "1") + signature[1:]
    vectors = [
        f"{other.user_id}.{kind}.{signature}",
        f"{person}.session_reminder.{signature}",
        f"{person}.{kind}.{flipped}",
        f"{person}.{kind}.{signature[:-1]}",
        f"{person}.{kind}.{signature}0",
        f"{person}.{kind}.{signature.upper()}",
        f"{person}.{kind}.",
        f"{person.upper()}.{kind}.{signature}",
        f"{person}.{kind}",
        hmac.new(b"", f"unsubscribe:{person}:{kind}".encode(), "sha256").hexdigest(),
        f"{person}.{kind}.{secrets.token_hex(32)}",
        "x" * 200,
        "'; drop table notification; --",
        "..",
    ]
    for vector in vectors:
        if vector != token:
            for method in ("GET", "POST"):
                answer = stack.http.request(method, UNSUBSCRIBE, params={"token": vector})
                assert (answer.status_code, answer.json()["code"]) == (400, "link_invalid"), (vector, answer.text)
    assert chosen(user)["email"] is chosen(other)["email"] is True


@pytest.mark.parametrize("query", ["", "?token=", f"?token={'x' * 201}", "?token=%00", "?token=a&surplus=1"])
def test_a_link_that_cannot_be_is_4xx(stack: Stack, query: str) -> None:
    for method in ("GET", "POST"):
        assert 400 <= stack.http.request(method, UNSUBSCRIBE + query).status_code < 500


def test_a_link_outlives_a_rotation_of_keys_and_not_six(stack: Stack) -> None:
    _, link = mailed(stack)
    with stack.database() as database:
        for _ in range(5):
            database.execute("select private.rotate_unsubscribe_key()")
        assert stack.http.get(link).status_code == 200
        database.execute("select private.rotate_unsubscribe_key()")
        assert stack.http.get(link).json()["code"] == "link_invalid"
    _, later = mailed(stack)
    assert stack.http.get(later).status_code == 200


def test_the_database_s_hmac_is_python_s(stack: Stack) -> None:
    with stack.database() as database:
        for size in (0, 1, 32, 63, 64):
            key, message = secrets.token_bytes(size), secrets.token_bytes(size * 3)
            made = database.execute("select private.hmac_sha256(%s, %s) as it", [message, key]).fetchone()
            assert made is not None
            assert bytes(made["it"]) == hmac.digest(key, message, hashlib.sha256)


def test_what_a_deleted_user_was_told_is_forgotten(stack: Stack) -> None:
    user, link = mailed(stack)
    stack.http.post(link)
    with stack.database() as database:
        database.execute("select private.erase_notifications(%s)", [user.user_id])
        left = database.execute(
            """select (select count(*) from notification n where n.user_id = u.id)
                    + (select count(*) from notification_preference p where p.user_id = u.id)
                    + (select count(*) from private.email_delivery d where d.user_id = u.id) as n
               from user_account u where u.id = %s""",
            [user.user_id],
        ).fetchone()
        assert left == {"n": 0}
        database.execute(GONE, [user.user_id])
    assert stack.http.post(link).status_code == 200
