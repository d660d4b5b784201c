"""Svix signatures: https://docs.svix.com/receiving/verifying-payloads/how-manual"""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coachline.problems import BadRequest, NotFound
from coachline.webhooks import SignatureInvalid, raw_body, verify_svix

# The example of Svix's own documentation.
SECRET = "whsec_plJ3nmyCDGBKInavdOK15jsl"
PAYLOAD = b'{"event_type":"ping","data":{"success":true}}'
MESSAGE, SENT_AT = "msg_loFOjxBNrRLzqYUf", 1731705121
SIGNATURE = "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="

OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of ours").decode()


def signed(raw: bytes, secret: str = SECRET, at: int = SENT_AT) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{MESSAGE}.{at}.".encode() + raw, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def headers(signature: str = SIGNATURE, at: int | str = SENT_AT, message: str = MESSAGE) -> dict[str, str]:
    return {"svix-id": message, "svix-timestamp": str(at), "svix-signature": signature}


def test_the_documented_example_is_good() -> None:
    assert verify_svix(headers(), PAYLOAD, [SECRET], SENT_AT) == MESSAGE


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_")])
def test_a_secret_works_with_its_prefix_and_without(secret: str) -> None:
    assert verify_svix(headers(), PAYLOAD, [secret], SENT_AT)


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,AAAA {SIGNATURE}",
        f"{SIGNATURE} v1,AAAA",
        f"v2,whatever v1a,{SIGNATURE[3:]} {SIGNATURE}",
        f"{signed(PAYLOAD, OTHER_SECRET)} {SIGNATURE}",
    ],
)
def test_one_good_signature_of_several_is_enough(signature: str) -> None:
    assert verify_svix(headers(signature), PAYLOAD, [SECRET], SENT_AT)


def test_old_and_new_secret_are_both_good_while_they_rotate() -> None:
    for secret in (SECRET, OTHER_SECRET):
        assert verify_svix(headers(signed(PAYLOAD, secret)), PAYLOAD, [SECRET, OTHER_SECRET], SENT_AT)


@pytest.mark.parametrize("late", [-300, 0, 299.5, 300])
def test_five_minutes_are_tolerated_either_way(late: float) -> None:
    assert verify_svix(headers(), PAYLOAD, [SECRET], SENT_AT + late)


@pytest.mark.parametrize("late", [-301, 301, 10**9])
def test_a_stale_or_future_delivery_is_refused(late: float) -> None:
    with pytest.raises(SignatureInvalid):
        verify_svix(headers(), PAYLOAD, [SECRET], SENT_AT + late)


@pytest.mark.parametrize(
    "changed",
    [
        headers(message="msg_other"),
        headers(at=SENT_AT + 1),
        headers(""),
        headers("v1,"),
        headers("v1"),
        headers("v2," + SIGNATURE[3:]),
        headers(SIGNATURE[3:]),
        headers(SIGNATURE[:-2]),
        headers("v1,é"),
        headers("v1,\ud800".encode("utf-8", "replace").decode()),
        headers(signed(PAYLOAD, OTHER_SECRET)),
        headers(at="soon"),
        headers(at=""),
        headers(at="-5"),
        headers(at="1731705121.0"),
        headers(at="٣"),
        headers(at="²"),
        headers(at="9" * 5000),
        headers(message=""),
    ],
)
def test_a_changed_header_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(SignatureInvalid) as refused:
        verify_svix(changed, PAYLOAD, [SECRET], SENT_AT)

    assert (refused.value.status, refused.value.code) == (401, "signature_invalid")


@pytest.mark.parametrize("missing", ["svix-id", "svix-timestamp", "svix-signature"])
def test_a_missing_header_is_refused(missing: str) -> None:
    kept = {name: value for name, value in headers().items() if name != missing}

    with pytest.raises(SignatureInvalid):
        verify_svix(kept, PAYLOAD, [SECRET], SENT_AT)


def test_a_tampered_body_is_refused() -> None:
    for tampered in (PAYLOAD + b" ", PAYLOAD.replace(b"true", b"false"), b""):
        with pytest.raises(SignatureInvalid):
            verify_svix(headers(), tampered, [SECRET], SENT_AT)


@pytest.mark.parametrize("secrets", [[], [""]])
def test_without_a_secret_there_is_no_such_endpoint(secrets: list[str]) -> None:
    with pytest.raises(NotFound):
        verify_svix(headers(), PAYLOAD, secrets, SENT_AT)


def test_a_secret_that_is_none_is_our_fault() -> None:
    with pytest.raises(RuntimeError, match="base64"):
        verify_svix(headers(), PAYLOAD, ["whsec_%%%"], SENT_AT)


@given(st.binary(max_size=200), st.integers(0, 2**40))
def test_whatever_svix_signs_is_accepted_and_nothing_else(raw: bytes, at: int) -> None:
    assert verify_svix(headers(signed(raw, at=at), at), raw, [SECRET], at) == MESSAGE
    with pytest.raises(SignatureInvalid):
        verify_svix(headers(signed(raw, at=at), at), raw + b"\0", [SECRET], at)


@given(st.binary(max_size=200))
def test_the_bytes_are_the_same_in_both_encodings(raw: bytes) -> None:
    assert raw_body({"body": base64.b64encode(raw).decode(), "isBase64Encoded": True}) == raw
    text = raw.decode("utf-8", "ignore")
    assert raw_body({"body": text, "isBase64Encoded": False}) == text.encode()


def test_no_body_is_an_empty_one() -> None:
    assert raw_body({}) == raw_body({"body": None}) == b""


@pytest.mark.parametrize("event", [{"body": "%", "isBase64Encoded": True}, {"body": "é", "isBase64Encoded": True}])
def test_a_body_that_is_not_base64_cannot_be_read(event: dict[str, object]) -> None:
    with pytest.raises(BadRequest):
        raw_body(event)
