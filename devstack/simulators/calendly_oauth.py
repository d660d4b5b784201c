"""Calendly's sign-in: authorization codes with PKCE, access tokens of two hours, refresh tokens that work once."""

import base64
import hashlib
import hmac
import secrets
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from devstack.simulators.base import Row, Store
from devstack.simulators.calendly_world import DEMO_COACH, World, refuse

CODE_LIFE = timedelta(minutes=10)
ACCESS_LIFE = timedelta(hours=2)


class OAuthError(Exception):
    """A refusal of the token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.response = web.json_response({"error": error, "error_description": description}, status=status)


class OAuth:
    """One application. `secret` is its client secret; redirects go to `redirect_uri` and nowhere else."""

    def __init__(self, store: Store, world: World, *, client_id: str, secret: str, redirect_uri: str) -> None:
        self._store = store
        self._world = world
        self._client = client_id, secret
        self._redirect_uri = redirect_uri

    async def authorize(self, request: web.Request) -> web.Response:
        """The consent page, on which a coach has always agreed: `login_hint` names him, else it is the demo coach."""
        query = request.query
        wanted = {"client_id": self._client[0], "redirect_uri": self._redirect_uri, "response_type": "code"}
        if wrong := [name for name, value in wanted.items() if query.get(name) != value]:
            return web.json_response({"error": "invalid_request", "error_description": f"wrong {wrong[0]}"}, status=400)
        if query.get("code_challenge_method") != "S256" or len(query.get("code_challenge", "")) != 43:
            return self._back({"error": "invalid_request", "state": query.get("state", "")})
        user = self._world.coach(query.get("login_hint") or DEMO_COACH)
        code = secrets.token_urlsafe(32)
        row = {"user": user["uri"], "challenge": query["code_challenge"], "scope": query.get("scope", "")}
        self._put("code", code, row, CODE_LIFE)
        return self._back({"code": code, "state": query.get("state", "")})

    async def token(self, request: web.Request) -> web.Response:
        try:
            form = await request.post()
            self._check_client(request.headers.get("Authorization", ""))
            match form.get("grant_type"):
                case "authorization_code":
                    row = self._redeemed("code", form.get("code"))
                    digest = hashlib.sha256(str(form.get("code_verifier", "")).encode()).digest()
                    if base64.urlsafe_b64encode(digest).decode().rstrip("=") != row["challenge"]:
                        raise OAuthError("invalid_grant", "The code verifier does not fit.")
                    if form.get("redirect_uri") != self._redirect_uri:
                        raise OAuthError("invalid_grant", "The redirect URI is another one.")
                case "refresh_token":
                    row = self._redeemed("refresh", form.get("refresh_token"))
                case _:
                    raise OAuthError("unsupported_grant_type", "The grant type is not supported.")
        except OAuthError as error:
            return error.response
        return web.json_response(self._pair(row["user"], row["scope"]))

    async def revoke(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret")) != self._client:
            return OAuthError("invalid_client", "Client authentication failed.", 403).response
        for kind in ("access", "refresh"):
            if row := self._store.get(kind, _digest(form.get("token"))):
                self.forget(row["user"])
        return web.json_response({})

    def forget(self, user_uri: str, *kinds: str) -> None:
        """End every token of a coach, as when he removes the application; or those of a kind."""
        for kind in kinds or ("access", "refresh"):
            for row in self._world.all(kind, user=user_uri):
                self._store.delete(kind, row["id"])

    def user_of(self, authorization: str, scope: str) -> Row:
        """The coach whose access token this is; 401 when it is none, 403 when it may not do this."""
        row = self._store.get("access", _digest(authorization.removeprefix("Bearer ")))
        if row is None or self._world.expired(row["expires"]):
            raise refuse(401, "The access token is invalid")
        granted = str(row["scope"]).split()
        if scope not in granted and scope.replace(":read", ":write") not in granted:
            raise refuse(403, "You do not have permission to access this resource.")
        return self._world.get("user", row["user"])

    def _pair(self, user_uri: str, scope: str) -> Row:
        user, row = self._world.get("user", user_uri), {"user": user_uri, "scope": scope}
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(32)
        self._put("access", access, row, ACCESS_LIFE)
        self._put("refresh", refresh, row, timedelta(days=36_500))
        return {
            "token_type": "Bearer",
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "created_at": int(self._world.now().timestamp()),
            "scope": scope,
            "owner": user_uri,
            "organization": user["current_organization"],
        }

    def _put(self, kind: str, secret: str, row: Row, life: timedelta) -> None:
        name = _digest(secret)
        self._store.put(kind, name, row | {"id": name, "expires": self._world.until(life)})

    def _redeemed(self, kind: str, secret: Any) -> Row:
        """What a code or refresh token stands for, which is used up by this."""
        row = self._store.get(kind, _digest(secret))
        self._store.delete(kind, _digest(secret))
        if row is None or self._world.expired(row["expires"]):
            raise OAuthError("invalid_grant", "The grant is invalid, expired, revoked or was used before.")
        return row

    def _check_client(self, authorization: str) -> None:
        expected = base64.b64encode(":".join(self._client).encode()).decode()
        if not hmac.compare_digest(authorization.removeprefix("Basic ").encode(), expected.encode()):
            raise OAuthError("invalid_client", "Client authentication failed.", 401)

    def _back(self, parameters: dict[str, str]) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{self._redirect_uri}?{urlencode(parameters)}"})


def _digest(secret: Any) -> str:
    return hashlib.sha256(str(secret).encode()).hexdigest()
