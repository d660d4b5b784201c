"""GET /api/sessions/metrics, GET /api/coach/{coachId}/metrics: the figures of sessions."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, one
from coachline.scheduling import metrics
from coachline.scheduling.metrics import Metrics, RangeQuery, SessionMetricsQuery

app = create_app()


@app.get(
    "/api/sessions/metrics",
    middlewares=[requires("metrics:read")],
    **doc("Figures of my sessions, or of the platform's", tag="Sessions"),
)
def session_metrics(query: Annotated[SessionMetricsQuery, Query()]) -> Data[Metrics]:
    return one(metrics.session_metrics(caller(app), query))


@app.get(
    "/api/coach/<coachId>/metrics",
    middlewares=[requires("coach_metrics:read")],
    **doc("Figures of a coach's sessions", tag="Coaching", problems=[404]),
)
def coach_metrics(
    coach_id: Annotated[UUID, Path(alias="coachId")], query: Annotated[RangeQuery, Query()]
) -> Data[Metrics]:
    return one(metrics.coach_metrics(caller(app), coach_id, query))


lambda_handler = entrypoint(app)
