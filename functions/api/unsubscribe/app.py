"""GET POST /api/notifications/unsubscribe: the link at the foot of an e-mail, public by its signature."""

from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint
from coachline.notifications import unsubscribing

app = create_app()
HTML = "text/html; charset=utf-8"
PAGE = {"text/html": {"schema": {"type": "string"}}}
Token = Annotated[str, Query(min_length=1, max_length=200, description="As the e-mail's link has it.")]


@app.get(
    "/api/notifications/unsubscribe",
    **doc(
        "A page that asks; it changes nothing, whoever follows the link",
        tag="Notifications",
        problems=[400],
        content=PAGE,
    ),
)
def ask(token: Token) -> Response[Any]:
    return Response(200, HTML, unsubscribing.asking(caller(app), token), unsubscribing.HEADERS)


@app.post(
    "/api/notifications/unsubscribe",
    **doc(
        "Stop the e-mails of the link's type, by the page's button or a mail program's one click (RFC 8058)",
        tag="Notifications",
        problems=[400],
        content=PAGE,
    ),
)
def stop(token: Token) -> Response[Any]:
    return Response(200, HTML, unsubscribing.stopping(caller(app), token), unsubscribing.HEADERS)


# Raw: a mail program posts a form, of which nothing is needed that the link does not say.
lambda_handler = entrypoint(app, public=True, raw=True)
