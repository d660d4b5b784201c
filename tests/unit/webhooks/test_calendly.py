"""Calendly's signatures: `t=<unix seconds>,v1=<hex>` over `t.body`, any active key, three minutes either way."""

import hashlib
import hmac

import pytest

from coachline.problems import NotFound
from coachline.webhooks import SignatureInvalid, verify_calendly

NOW, KEY, BODY = 1_803_892_530, "a-signing-key", b'{"event":"invitee.created"}'


def signature(at: int | str = NOW, key: str = KEY, body: bytes = BODY) -> str:
    return hmac.digest(key.encode(), f"{at}.".encode() + body, hashlib.sha256).hex()


def header(at: int | str = NOW, key: str = KEY, body: bytes = BODY) -> dict[str, str]:
    return {"calendly-webhook-signature": f"t={at},v1={signature(at, key, body)}"}


@pytest.mark.parametrize("offset", [-180, 0, 180])
def test_a_signature_of_now_is_accepted_three_minutes_either_way(offset: int) -> None:
    assert verify_calendly(header(NOW + offset), BODY, [KEY], NOW) == ""


@pytest.mark.parametrize("offset", [-181, 181])
def test_an_old_or_future_one_is_a_replay(offset: int) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify_calendly(header(NOW + offset), BODY, [KEY], NOW)
    assert caught.value.reason == "stale"


def test_every_active_key_is_tried_and_every_signature() -> None:
    assert verify_calendly(header(key="new"), BODY, [KEY, "new"], NOW) == ""
    several = {"calendly-webhook-signature": f"t={NOW}, v0=x ,v1={'0' * 64}, v1={signature()}, later=1"}
    assert verify_calendly(several, BODY, ["", KEY], NOW) == ""


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "incomplete"),
        ("t=", "incomplete"),
        (f"v1={signature()}", "incomplete"),
        (f"t={NOW}", "incomplete"),
        (f"t={NOW},t={NOW},v1={signature()}", "incomplete"),
        (f"t=+{NOW},v1={signature()}", "stale"),
        (f"t={NOW}.0,v1={signature()}", "stale"),
        (f"t=١٨٠٣٨٩٢٥٣٠,v1={signature()}", "stale"),
        (f"t={'9' * 400},v1={signature()}", "stale"),
        (f"t={NOW},v1={signature(key='another')}", "mismatch"),
        (f"t={NOW},v1={signature(body=BODY + b' ')}", "mismatch"),
        (f"t={NOW + 1},v1={signature()}", "mismatch"),
        (f"t={NOW},v1={signature().upper()}", "mismatch"),
        (f"t={NOW},v1=", "mismatch"),
        (f"t={NOW},v1=ü", "mismatch"),
        (KEY, "incomplete"),
    ],
)
def test_whatever_does_not_fit_is_refused(value: str, reason: str) -> None:
    with pytest.raises(SignatureInvalid) as caught:
        verify_calendly({"calendly-webhook-signature": value}, BODY, [KEY], NOW)
    assert caught.value.reason == reason


@pytest.mark.parametrize("keys", [[], [""]])
def test_without_a_key_there_is_no_such_endpoint(keys: list[str]) -> None:
    with pytest.raises(NotFound):
        verify_calendly(header(), BODY, keys, NOW)
