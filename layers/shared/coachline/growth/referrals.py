"""Referrals as each side sees them: a code, and the credit that came of it. Never who is on the other side."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from coachline.api import Caller
from coachline.database import as_caller
from coachline.models import Input, Instant, Money, Output, Page, example
from coachline.pagination import Keyset, PageQuery

_ORDER_OF_REFERRALS = Keyset(before_at=("redeemed_at", datetime), before_id=("id", UUID))
_ORDER_OF_ENTRIES = Keyset(before_id=("id", int))
_CODE = {"code": "7HQ4XW2M", "createdAt": "2027-01-04T09:00:00Z"}
_REFERRAL = {
    "id": "0c3c7a5e-6b0a-4c62-9d3e-5c1b0e9f7a11",
    "side": "REFERRER",
    "status": "QUALIFIED",
    "redeemedAt": "2027-02-01T10:00:00Z",
    "expiresAt": "2027-07-31T10:00:00Z",
    "holdUntil": "2027-03-22T15:00:00Z",
    "rewardedAt": None,
    "reward": {"amount": 2500, "currency": "USD"},
    "capped": False,
}
_ENTRY = {
    "id": 4711,
    "kind": "GRANTED",
    "amount": {"amount": 2500, "currency": "USD"},
    "sessionId": None,
    "referralId": _REFERRAL["id"],
    "createdAt": "2027-03-22T15:05:00Z",
}


class ReferralStatus(StrEnum):
    """SIGNED_UP becomes QUALIFIED by the first completed session that was paid for, and REWARDED after the hold."""

    SIGNED_UP = "SIGNED_UP"
    QUALIFIED = "QUALIFIED"
    REWARDED = "REWARDED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class ReferralSide(StrEnum):
    """REFERRER: whose code it was; REFEREE: who redeemed it."""

    REFERRER = "REFERRER"
    REFEREE = "REFEREE"


class CreditKind(StrEnum):
    """GRANTED as a reward; SPENT on a session, RETURNED with its refund; CLAWED_BACK with a reward that fell away;
    COLLECTED: taken from what came in later, because what was clawed back had been spent.
    """

    GRANTED = "GRANTED"
    SPENT = "SPENT"
    RETURNED = "RETURNED"
    CLAWED_BACK = "CLAWED_BACK"
    COLLECTED = "COLLECTED"


class ReferralCode(Output):
    """What to give to others. A new one ends the one before it."""

    model_config = example(**_CODE)

    code: str
    created_at: Instant


class Referral(Output):
    """One side of a referral. `reward`: what that side gets, once it is known; `capped`: nothing, his month is full."""

    model_config = example(**_REFERRAL)

    id: UUID
    side: ReferralSide
    status: ReferralStatus
    redeemed_at: Instant
    expires_at: Instant
    hold_until: Instant | None
    rewarded_at: Instant | None
    reward: Money | None
    capped: bool


class ReferralPage(Page[Referral]):
    """A page of those who redeemed my code, and besides: the code, what I redeemed myself, and until when I can."""

    code: ReferralCode | None
    redeemed: Referral | None
    redeem_until: Instant


class CreditEntry(Output):
    """A change of a balance; `amount` is negative where it was lowered."""

    model_config = example(**_ENTRY)

    id: int
    kind: CreditKind
    amount: Money
    session_id: UUID | None
    referral_id: UUID | None
    created_at: Instant


class CreditPage(Page[CreditEntry]):
    """A page of what my credit was changed by, and what there is of it in each currency."""

    balances: list[Money]


class Redemption(Input):
    """A code as somebody was given it: small letters, spaces and hyphens do not matter."""

    model_config = example(code="7HQ4XW2M")

    code: Annotated[str, Field(min_length=1, max_length=32, examples=["7HQ4XW2M"])]

    @property
    def plain_code(self) -> str:
        """The code as it is stored."""
        return self.code.upper().replace("-", "").replace(" ", "")


def list_referrals(caller: Caller, query: PageQuery) -> Any:
    """A `ReferralPage`, latest redemption first."""
    found = as_caller(caller).read("list_referrals", **_ORDER_OF_REFERRALS.arguments(query))
    rows, next_cursor = _ORDER_OF_REFERRALS.page(found.pop("referrals"), query)
    return {**found, "data": rows, "next_cursor": next_cursor}


def create_code(caller: Caller) -> Any:
    """The new `ReferralCode`; the one before it can no longer be redeemed."""
    return as_caller(caller).write("create_referral_code")


def redeem(caller: Caller, body: Redemption) -> Any:
    """The new `Referral`; 409 referral_redeemed, referral_too_late or own_referral_code, 422 referral_code_invalid."""
    return as_caller(caller).write("redeem_referral_code", code=body.plain_code)


def list_rewards(caller: Caller, query: PageQuery) -> Any:
    """A `CreditPage`, latest entry first."""
    found = as_caller(caller).read("list_credit", **_ORDER_OF_ENTRIES.arguments(query))
    rows, next_cursor = _ORDER_OF_ENTRIES.page(found.pop("entries"), query)
    return {**found, "data": rows, "next_cursor": next_cursor}
