"""What an ADMIN sends about achievements: definitions with their rule, grants by hand."""

from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from coachline.models import Input, Query, Reason, Version, example
from coachline.patches import partial


class AchievementType(StrEnum):
    """MILESTONE: how much was done; PERFORMANCE: how well; LEARNING: what was taken up."""

    MILESTONE = "MILESTONE"
    PERFORMANCE = "PERFORMANCE"
    LEARNING = "LEARNING"


class Metric(StrEnum):
    """What is counted: completed sessions and their hours, reviews, their stars, goals by their first completion,
    people brought whose referral was rewarded."""

    SESSIONS_AS_COACH = "SESSIONS_AS_COACH"
    SESSIONS_AS_MENTEE = "SESSIONS_AS_MENTEE"
    HOURS_AS_COACH = "HOURS_AS_COACH"
    HOURS_AS_MENTEE = "HOURS_AS_MENTEE"
    REVIEWS_RECEIVED = "REVIEWS_RECEIVED"
    REVIEWS_WRITTEN = "REVIEWS_WRITTEN"
    RATING_RECEIVED = "RATING_RECEIVED"
    GOALS_COMPLETED = "GOALS_COMPLETED"
    REFERRALS_REWARDED = "REFERRALS_REWARDED"


class Operator(StrEnum):
    """How a value compares with the threshold."""

    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"
    EXACTLY = "EXACTLY"


class Window(StrEnum):
    """Over all time, or anew in each calendar year or month (UTC): once in each."""

    ALL_TIME = "ALL_TIME"
    YEAR = "YEAR"
    MONTH = "MONTH"


Threshold = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
CRITERIA: dict[str, Any] = {
    "metric": "RATING_RECEIVED",
    "operator": "AT_LEAST",
    "threshold": 5,
    "window": "ALL_TIME",
    "streak": 10,
}


def criteria_fault(metric: Metric, operator: Operator, threshold: float, streak: int | None) -> str | None:
    """Why such a rule would never or always hold, or says nothing; None for a sensible one.

    The same is a check of the table: `achievement_definition_rule_check`.
    """
    if round(threshold, 2) != threshold:
        return "The threshold has at most two decimal places"
    if streak is None:
        if metric is Metric.RATING_RECEIVED:
            return "Stars are not added up: RATING_RECEIVED needs a streak"
        return None if operator is Operator.AT_LEAST else "A sum only grows: without a streak the operator is AT_LEAST"
    if metric is not Metric.RATING_RECEIVED:
        return "Only RATING_RECEIVED has values to compare one by one: other metrics have no streak"
    if not 1 <= threshold <= 5 or (operator is Operator.EXACTLY and threshold % 1):
        return "No review has such a rating: this would never hold"
    always = {Operator.AT_LEAST: threshold <= 1, Operator.AT_MOST: threshold >= 5, Operator.EXACTLY: False}
    return "Every review has such a rating: this would always hold" if always[operator] else None


class CriteriaInput(Input):
    """Without `streak`: the metric's sum within the window is AT_LEAST the threshold. With it: so many ratings in a row
    compare with the threshold."""

    model_config = example(**CRITERIA)

    metric: Metric
    operator: Operator = Operator.AT_LEAST
    threshold: Threshold
    window: Window = Window.ALL_TIME
    streak: Annotated[int, Field(ge=2, le=1000)] | None = None

    @model_validator(mode="after")
    def _sensible(self) -> "CriteriaInput":
        if fault := criteria_fault(self.metric, self.operator, self.threshold, self.streak):
            raise PydanticCustomError("criteria", "{detail}", {"detail": fault})
        return self


class _Editable(Input):
    title: Annotated[str, Field(min_length=1, max_length=120, pattern=r"\S")]
    description: Annotated[str, Field(min_length=1, max_length=500, pattern=r"\S")]
    type: AchievementType
    criteria: CriteriaInput


class DefinitionInput(_Editable):
    """An achievement that can be earned from now on; who has earned it already is granted it by the next backfill."""

    model_config = example(
        code="five_star_streak",
        title="Five stars, ten times",
        description="Received ten reviews of five stars in a row.",
        type="PERFORMANCE",
        criteria=CRITERIA,
    )

    code: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{1,63}$")]


@partial
class DefinitionPatch(_Editable):
    """What changes, and the version it was read at. `criteria` are replaced as a whole, while nobody was granted it."""

    model_config = example(title="Ten times five stars", version=1)

    version: Version


class GrantInput(Input):
    """A grant by hand, for the definition's current period."""

    model_config = example(
        userId="3e2ec15d-3d13-4e0d-a65c-377bd7400497", code="first_goal", reason="Completed before goals were kept here"
    )

    user_id: UUID
    code: Annotated[str, Field(min_length=1, max_length=64)]
    reason: Reason


class Revocation(Query):
    """Why, for the audit log and the grant itself."""

    reason: Annotated[Reason, Field(description="Why it is revoked.", examples=["Reviews by the coach's own office"])]
