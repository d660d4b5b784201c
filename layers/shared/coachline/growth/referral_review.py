"""Everybody's referrals, for ADMINs: which are suspicious, and what is decided about them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.growth.referrals import ReferralStatus
from coachline.models import Input, Instant, Money, Output, Reason, Version, example
from coachline.pagination import Keyset, PageQuery

_ORDER = Keyset(before_at=("redeemed_at", datetime), before_id=("id", UUID))


class ReferralFlag(StrEnum):
    """What the referee shares with the referrer, or with somebody else whom he brought."""

    SAME_CARD = "SAME_CARD"
    SAME_EMAIL = "SAME_EMAIL"
    SAME_LICENSE = "SAME_LICENSE"
    SAME_PHONE = "SAME_PHONE"


class ReviewState(StrEnum):
    """PENDING: not rewarded before somebody has decided."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class ReferralCase(Output):
    """A referral with both sides. `review` is null as long as nothing is suspicious; `rejection` says why it ended."""

    model_config = example(
        id="0c3c7a5e-6b0a-4c62-9d3e-5c1b0e9f7a11",
        status="QUALIFIED",
        code="7HQ4XW2M",
        referrerId="0f08551d-9a54-47e4-b942-7a387eda5385",
        referrerName="Casey Morgan",
        refereeId="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        refereeName="Jordan Rivera",
        flags=["SAME_CARD"],
        review="PENDING",
        reviewedBy=None,
        reviewedAt=None,
        reviewReason=None,
        rejection=None,
        sessionId="7f1c7b8e-2a4d-4e0b-9c55-3f7a9d21e6b0",
        referrerReward={"amount": 2500, "currency": "USD"},
        refereeReward={"amount": 2500, "currency": "USD"},
        capped=False,
        redeemedAt="2027-02-01T10:00:00Z",
        expiresAt="2027-07-31T10:00:00Z",
        holdUntil="2027-03-22T15:00:00Z",
        rewardedAt=None,
        endedAt=None,
        version=3,
    )

    id: UUID
    status: ReferralStatus
    code: str
    referrer_id: UUID
    referrer_name: str | None
    referee_id: UUID
    referee_name: str | None
    flags: list[ReferralFlag]
    review: ReviewState | None
    reviewed_by: UUID | None
    reviewed_at: Instant | None
    review_reason: str | None
    rejection: Literal["REVIEW", "REFUNDED", "ACCOUNT_CLOSED"] | None
    session_id: UUID | None
    referrer_reward: Money | None
    referee_reward: Money | None
    capped: bool
    redeemed_at: Instant
    expires_at: Instant
    hold_until: Instant | None
    rewarded_at: Instant | None
    ended_at: Instant | None
    version: int


class ReferralCaseQuery(PageQuery):
    """`review=PENDING` is the queue. `userId`: those in which he is either side."""

    status: ReferralStatus | None = None
    review: ReviewState | None = None
    user_id: UUID | None = None


class ReferralDecision(Input):
    """APPROVED lets a suspicious referral go on; REJECTED ends any, and takes given rewards back."""

    model_config = example(decision="REJECTED", reason="One person with two accounts, by the licence", version=3)

    decision: Literal["APPROVED", "REJECTED"]
    reason: Reason
    version: Version


def list_cases(caller: Caller, query: ReferralCaseQuery) -> tuple[list[Any], str | None]:
    """A page of `ReferralCase`, latest redemption first; and the next cursor."""
    rows = as_caller(caller).read(
        "list_all_referrals",
        wanted_status=query.status,
        wanted_review=query.review,
        target=query.user_id and str(query.user_id),
        **_ORDER.arguments(query),
    )
    return _ORDER.page(rows, query)


def decide(caller: Caller, referral_id: UUID, body: ReferralDecision) -> Any:
    """The decided `ReferralCase`; 409 own_referral, invalid_transition or version_conflict."""
    return as_caller(caller).write(
        "review_referral",
        referral_id=str(referral_id),
        decision=body.decision,
        reason=body.reason,
        expected_version=body.version,
    )
