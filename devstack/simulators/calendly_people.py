"""What coaches and invitees do on Calendly's own pages: POST /_sim/calendly/_people/{action}, its arguments as JSON."""

import json
from collections.abc import Callable
from typing import Any

from aiohttp import web

from devstack.simulators.base import Row
from devstack.simulators.calendly_hooks import Hooks
from devstack.simulators.calendly_oauth import OAuth
from devstack.simulators.calendly_world import CalendlyError, World, instant


class People:
    def __init__(self, world: World, oauth: OAuth, hooks: Hooks) -> None:
        self._world = world
        self._actions: dict[str, Callable[..., Any]] = {
            "sign-up": world.coach,
            "add-event-type": lambda email, **fields: world.add_event_type(world.coach(email), **fields),
            "edit-event-type": world.change_event_type,
            "event-types": self._event_types,
            "book": lambda event_type, start, **who: world.book(event_type, instant(start), **who),
            "reschedule": lambda invitee, start: world.reschedule(invitee, instant(start)),
            "cancel": world.cancel,
            "no-show": world.mark_no_show,
            "withdraw-no-show": world.withdraw_no_show,
            "busy": lambda email, start, end: world.add_busy(world.coach(email)["uri"], instant(start), instant(end)),
            "free": world.remove_busy,
            "bookings": self._bookings,
            "tokens": lambda email: self._tokens(world.coach(email)["uri"]),
            "remove-app": lambda email: oauth.forget(world.coach(email)["uri"]),
            "end-access": lambda email: oauth.forget(world.coach(email)["uri"], "access"),
            "disable-webhooks": lambda email: hooks.disable(world.coach(email)["uri"]),
        }

    async def act(self, request: web.Request) -> web.Response:
        try:
            arguments = json.loads(await request.read() or b"{}")
            return web.json_response(self._actions[request.match_info["action"]](**arguments))
        except CalendlyError as error:
            return error.response
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)

    def _event_types(self, email: str) -> list[Row]:
        owner = self._world.coach(email)["uri"]
        return [row for row in self._world.all("event_type") if row["profile"]["owner"] == owner]

    def _tokens(self, user_uri: str) -> Row:
        """How many tokens and subscriptions of ours a coach's account has."""
        kinds = ("access", "refresh")
        tokens = sum(len(self._world.all(kind, user=user_uri)) for kind in kinds)
        return {"tokens": tokens, "hooks": len(self._world.all("hook", user=user_uri))}

    def _bookings(self, email: str) -> list[Row]:
        """Every booking of a coach, whatever became of it, with its event."""
        owner = self._world.coach(email)["uri"]
        events = {e["uri"]: e for e in self._world.all("event") if e["event_memberships"][0]["user"] == owner}
        invitees = [row for row in self._world.all("invitee") if row["event"] in events]
        return [row | {"scheduled_event": events[row["event"]]} for row in invitees]
