"""$default: what no route takes. 404 for an unknown path, 405 with Allow for a wrong method, 204 for OPTIONS."""

import json
from functools import cache
from pathlib import Path

from aws_lambda_powertools.event_handler import Response

from coachline.api import create_app, entrypoint, no_content
from coachline.incoming import allowed_methods
from coachline.problems import MethodNotAllowed, NotFound

app = create_app()


@cache
def routes() -> list[tuple[str, str]]:
    """The deployed routes as (method, path), which `make openapi` writes beside this module."""
    return [tuple(route) for route in json.loads(Path(__file__).with_name("routes.json").read_text())]


@app.not_found  # which any method comes to, whatever its name
def refuse(_: Exception) -> Response[None]:
    event = app.current_event
    if event.http_method == "OPTIONS":
        return no_content()
    if allowed := allowed_methods(event.path, routes()):
        raise MethodNotAllowed(allowed)
    raise NotFound("There is no such route. GET /api/docs lists them all.")


lambda_handler = entrypoint(app, public=True, raw=True)
