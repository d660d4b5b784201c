"""Calls of Calendly's API as a connected coach: his sealed tokens, refreshed by exactly one process at a time."""

import time
from functools import cache
from typing import Any

from aws_lambda_powertools.metrics import MetricUnit, single_metric

from coachline import secrets
from coachline.database import Database
from coachline.events import PermanentFailure, RetryLater
from coachline.logs import logger
from coachline.providers import Provider, Refused, Unauthorized
from coachline.sealing import seal, unseal
from coachline.settings import calendly_settings

_WAIT_SECONDS = 5.0  # for another process that refreshes
_POLL_SECONDS = 0.1


class NotConnected(PermanentFailure):
    """The coach has no account here, or has to connect it again."""


class Account:
    """A coach's account. `coach_id` is his user id, `database` the service's view of it."""

    def __init__(self, database: Database, coach_id: str) -> None:
        self._database = database
        self.coach_id = coach_id

    def call(self, method: str, path: str, **options: Any) -> Any:
        """One call with a valid token; after a 401 once more with a new one. Raises as Provider.call; NotConnected."""
        token, version = self._token(None)
        try:
            return api().call(method, path, headers={"Authorization": f"Bearer {token}"}, **options)
        except Unauthorized:
            token, _ = self._token(version)
            return api().call(method, path, headers={"Authorization": f"Bearer {token}"}, **options)

    def revoke(self) -> None:
        """Give the tokens back; those that Calendly does not know any more are given back already."""
        taken = self._database.write("take_calendly_token", coach_id=self.coach_id)
        if taken["state"] != "none" and "token" in taken:
            kind = "refresh" if taken["state"] == "refresh" else "access"
            form = {"client_id": calendly_settings().client_id, "client_secret": secrets.load().calendly_client_secret}
            token = unseal(taken["token"], purpose(self.coach_id, kind), secrets.load().sealing_keys)
            auth().call("POST", "/oauth/revoke", form={**form, "token": token}, repeatable=True)

    def _token(self, rejected: int | None) -> tuple[str, int]:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            taken = self._database.write("take_calendly_token", coach_id=self.coach_id, rejected=rejected)
            match taken["state"]:
                case "valid":
                    key = purpose(self.coach_id, "access")
                    return unseal(taken["token"], key, secrets.load().sealing_keys), taken["version"]
                case "refresh":
                    return self._refreshed(taken["token"], taken["version"])
                case "none":
                    raise NotConnected("the coach has to connect Calendly again")
            if time.monotonic() > deadline:
                raise RetryLater(5, "another process refreshes the token")
            time.sleep(_POLL_SECONDS)

    def _refreshed(self, sealed: str, version: int) -> tuple[str, int]:
        """Use the refresh token, whose lease we hold, and commit the new pair before anything is done with it."""
        keys = secrets.load().sealing_keys
        token = unseal(sealed, purpose(self.coach_id, "refresh"), keys)
        try:
            pair = granted({"grant_type": "refresh_token", "refresh_token": token})
        except (RetryLater, Refused) as failure:
            refused = isinstance(failure, Refused) and failure.code == "invalid_grant"
            self._database.write("fail_calendly_refresh", coach_id=self.coach_id, version=version, refused=refused)
            count("TokenRefreshFailed")
            logger.error("calendly.refresh_failed", coach=self.coach_id, refused=refused)
            if refused:
                raise NotConnected("Calendly refused to refresh: the coach has to connect again") from None
            raise (
                failure if isinstance(failure, RetryLater) else RetryLater(60, "our application was refused")
            ) from None
        sealed_pair = sealed_tokens(self.coach_id, pair)
        renewed = self._database.write("renew_calendly_token", coach_id=self.coach_id, version=version, **sealed_pair)
        if not renewed["renewed"]:  # connected anew in the meantime
            return self._token(None)
        return pair["access_token"], renewed["version"]


def granted(form: dict[str, str]) -> dict[str, Any]:
    """The pair of tokens for a code or a refresh token: access_token, refresh_token, expires_in."""
    basic = calendly_settings().client_id, secrets.load().calendly_client_secret
    answer = auth().call("POST", "/oauth/token", form=form, basic=basic)
    if not isinstance(answer, dict) or not all(
        isinstance(answer.get(f"{kind}_token"), str) for kind in ("access", "refresh")
    ):
        raise RetryLater(60, "Calendly granted what is no pair of tokens")
    return answer


def sealed_tokens(coach_id: str, pair: dict[str, Any]) -> dict[str, Any]:
    """A granted pair as the database keeps it."""
    keys, life = secrets.load().sealing_keys, pair.get("expires_in")
    return {
        **{
            f"{kind}_token": seal(pair[f"{kind}_token"], purpose(coach_id, kind), keys)
            for kind in ("access", "refresh")
        },
        "expires_in": life if isinstance(life, int) and 0 < life < 10**6 else 7200,
    }


def purpose(coach_id: str, kind: str) -> str:
    """What a sealed token is bound to."""
    return f"calendly/{coach_id}/{kind}"


def count(name: str) -> None:
    """One more of something that an alarm watches."""
    with single_metric(name=name, unit=MetricUnit.Count, value=1, default_dimensions={"provider": "calendly"}):
        pass


@cache
def api() -> Provider:
    """Calendly's API; its address is the only one that is ever called, whatever a payload names."""
    return Provider("calendly", calendly_settings().api_url, code_of=_error_of)


@cache
def auth() -> Provider:
    """Calendly's sign-in."""
    return Provider("calendly", calendly_settings().auth_url, code_of=_error_of)


def _error_of(body: Any) -> tuple[str, str]:
    return str(body.get("error") or body.get("title") or ""), str(
        body.get("error_description") or body.get("message") or ""
    )
