"""GET /api/calendly/connect, GET /api/calendly/status, DELETE /api/calendly, POST /api/calendly/sync: my account."""

from aws_lambda_powertools.event_handler import Response

from coachline.api import accepted, caller, create_app, doc, entrypoint, no_content, requires
from coachline.integrations import calendly
from coachline.integrations.calendly import CalendlyStatus, Consent
from coachline.models import Data, one

app = create_app()


@app.get(
    "/api/calendly/connect",
    middlewares=[requires("calendly:manage")],
    **doc("Where to agree that my Calendly account is used", tag="Calendly", problems=[409]),
)
def connect() -> Data[Consent]:
    return one(calendly.begin(caller(app)))


@app.get(
    "/api/calendly/status",
    middlewares=[requires("calendly:read")],
    **doc("My Calendly account, and what keeps bookings there from being sessions here", tag="Calendly"),
)
def status() -> Data[CalendlyStatus]:
    return one(calendly.status(caller(app)))


@app.delete(
    "/api/calendly",
    middlewares=[requires("calendly:manage")],
    **doc("Disconnect my Calendly account; sessions stay", tag="Calendly", status=204, problems=[404]),
)
def disconnect() -> Response[None]:
    calendly.disconnect(caller(app))
    return no_content()


@app.post(
    "/api/calendly/sync",
    middlewares=[requires("calendly:manage")],
    **doc("Have my Calendly account synced now", tag="Calendly", status=202, problems=[409]),
)
def sync() -> Response[Data[CalendlyStatus]]:
    return accepted(calendly.request_sync(caller(app)))


lambda_handler = entrypoint(app)
