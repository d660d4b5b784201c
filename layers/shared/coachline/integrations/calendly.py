"""A coach's Calendly account as the API shows and changes it. Nothing here holds a secret: see docs/adr/034."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from pydantic import Field, model_validator

from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.events import RetryLater
from coachline.integrations.calendly_account import api, granted, sealed_tokens
from coachline.models import Input, Instant, Output, Query, Version, example
from coachline.pagination import Keyset, PageQuery
from coachline.problems import Problem, Unavailable
from coachline.providers import Refused
from coachline.settings import calendly_settings

_ORDER = Keyset(after_name=("name", str), after_id=("id", UUID))
SCOPES = "users:read event_types:read availability:read scheduled_events:read webhooks:read webhooks:write"
SessionType = Literal["COACHING", "INTRODUCTION", "FOLLOW_UP"]
Minutes = Annotated[int, Field(ge=15, le=240, multiple_of=5)]
Buffer = Annotated[int, Field(ge=0, le=180)]


class Consent(Output):
    """Where a coach agrees that his Calendly account is used."""

    url: str

    model_config = example(url="https://auth.calendly.com/oauth/authorize?client_id=…&state=…")


class CalendlyStatus(Output):
    """The connection; null but for `status` while there is none. `problems` counts bookings that are no session."""

    status: Literal["NOT_CONNECTED", "CONNECTED", "RECONNECT_REQUIRED"]
    email: str | None
    name: str | None
    timezone: str | None
    scheduling_url: str | None
    connected_at: Instant | None
    last_synced_at: Instant | None
    webhook_state: str | None
    last_error: str | None
    problems: dict[str, int]

    model_config = example(
        status="CONNECTED",
        email="casey.morgan@example.com",
        name="Casey Morgan",
        timezone="America/New_York",
        schedulingUrl="https://calendly.com/casey-morgan-example",
        connectedAt="2027-03-01T09:00:00Z",
        lastSyncedAt="2027-03-01T09:15:04Z",
        webhookState="active",
        lastError=None,
        problems={"guest": 1},
    )

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, row: Any) -> Any:
        if not isinstance(row, dict):
            return row
        return {**dict.fromkeys(cls.model_fields), **row, "problems": row.get("problems") or {}}


class ConsentAnswer(Query):
    """What comes back from Calendly's consent page."""

    state: Annotated[str, Field(max_length=200)] = ""
    code: Annotated[str, Field(max_length=2000)] = ""
    error: Annotated[str, Field(max_length=200)] = ""


class Mapping(Input):
    """What an event type is here. Bookings outside of these durations, or of the coach's own, become no session."""

    session_type: SessionType
    minimum_duration: Minutes | None = None
    maximum_duration: Minutes | None = None
    buffer_before: Buffer = 0
    buffer_after: Buffer = 0

    @model_validator(mode="after")
    def _ordered(self) -> "Mapping":
        if self.minimum_duration and self.maximum_duration and self.minimum_duration > self.maximum_duration:
            raise ValueError("minimumDuration is above maximumDuration")
        return self


class MappingChange(Input):
    """An event type's mapping, or null to make no sessions of its bookings; with the version that it was decided on."""

    mapping: Mapping | None
    version: Version

    model_config = example(mapping={"sessionType": "COACHING", "bufferAfter": 15}, version=1)


class StoredMapping(Output):
    """A mapping as it is kept."""

    session_type: SessionType
    minimum_duration: int | None
    maximum_duration: int | None
    buffer_before: int
    buffer_after: int


class CalendlyEventType(Output):
    """What a coach offers at Calendly; `mismatches` names what does not fit his limits, schedule or mapping here."""

    id: UUID
    name: str
    active: bool
    duration: int
    duration_options: list[int]
    kind: str
    scheduling_url: str
    buffer_before: int
    buffer_after: int
    mapping: StoredMapping | None
    mismatches: list[str]
    version: int
    updated_at: Instant

    model_config = example(
        id="6f1c0a52-7d3e-4b8a-9c41-2e5d7b90a101",
        name="60 Minute Coaching Session",
        active=True,
        duration=60,
        durationOptions=[],
        kind="SOLO",
        schedulingUrl="https://calendly.com/casey-morgan-example/60-minute-coaching",
        bufferBefore=0,
        bufferAfter=15,
        mapping={
            "sessionType": "COACHING",
            "minimumDuration": None,
            "maximumDuration": None,
            "bufferBefore": 0,
            "bufferAfter": 15,
        },
        mismatches=["buffers_shorter_than_schedule"],
        version=2,
        updatedAt="2027-03-01T09:15:04Z",
    )


def begin(caller: Caller) -> dict[str, str]:
    """Start a consent: the address of Calendly's page, good for ten minutes and one answer."""
    begun = as_caller(caller).write("begin_calendly_consent")
    settings = calendly_settings()
    query = {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": redirect_uri(),
        "scope": SCOPES,
        "state": begun["state"],
        "code_challenge": begun["challenge"],
        "code_challenge_method": "S256",
    }
    return {"url": f"{settings.auth_url}/oauth/authorize?{urlencode(query)}"}


def complete(database: Database, answer: ConsentAnswer) -> Any:
    """Connect the account that a coach has agreed to: its status. Needs the service's secrets, and no caller: the state
    says whose consent it is. 400 state_invalid, consent_denied, consent_failed; 409 calendly_account_in_use; 503."""
    consent = database.write("redeem_calendly_consent", state=answer.state)
    if answer.error or not answer.code:
        raise Problem("The consent was not given at Calendly. Start again.", status=400, code="consent_denied")
    form = {"grant_type": "authorization_code", "code": answer.code, "redirect_uri": redirect_uri()}
    try:
        pair = granted({**form, "code_verifier": consent["code_verifier"]})
        me = api().call("GET", "/users/me", headers={"Authorization": f"Bearer {pair['access_token']}"})["resource"]
        names = ("uri", "email", "name", "timezone", "scheduling_url")
        account = {**{name: me[name] for name in names}, "organization": me["current_organization"]}
    except Refused:
        raise Problem("Calendly did not accept the consent. Start again.", status=400, code="consent_failed") from None
    except (RetryLater, LookupError, TypeError):
        raise Unavailable("Calendly cannot be reached right now. Start again in a minute.") from None
    tokens = sealed_tokens(consent["coach_id"], pair)
    return database.write("connect_calendly", coach_id=consent["coach_id"], account=account, **tokens)


def redirect_uri() -> str:
    """Where Calendly sends the coach back to; registered with our application there."""
    return f"{calendly_settings().public_url}/api/calendly/callback"


def status(caller: Caller) -> Any:
    """The caller's connection."""
    return as_caller(caller).read("get_calendly")


def disconnect(caller: Caller) -> None:
    """End the caller's connection at once; 404 when there is none. Calendly learns of it as soon as it is reached."""
    as_caller(caller).write("disconnect_calendly")


def request_sync(caller: Caller) -> Any:
    """Have the caller's account synced within a minute or two; 409 calendly_not_connected."""
    return as_caller(caller).write("request_calendly_sync")


def list_event_types(caller: Caller, query: PageQuery) -> tuple[list[Any], str | None]:
    """A page of the caller's event types by name."""
    return _ORDER.page(as_caller(caller).read("list_calendly_event_types", **_ORDER.arguments(query)), query)


def map_event_type(caller: Caller, event_type_id: UUID, change: MappingChange) -> Any:
    """Say what an event type is here; 404, 409 version_conflict or not_one_to_one."""
    mapping = change.mapping.model_dump() if change.mapping else None
    return as_caller(caller).write(
        "map_calendly_event_type", event_type_id=str(event_type_id), mapping=mapping, expected_version=change.version
    )
