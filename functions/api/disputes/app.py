"""GET /api/disputes, GET /api/disputes/{id}, POST /api/disputes/{id}/evidence: payments that payers dispute."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, doc, entrypoint, requires
from coachline.models import Data, Page, many, one
from coachline.payments import disputes
from coachline.payments.disputes import Dispute, DisputeDetail, DisputeQuery, EvidenceInput

app = create_app()


@app.get(
    "/api/disputes",
    middlewares=[requires("dispute:read")],
    **doc("Disputes, newest first: a coach's own, for an ADMIN all", tag="Payments"),
)
def list_disputes(query: Annotated[DisputeQuery, Query()]) -> Page[Dispute]:
    return many(disputes.list_disputes(caller(app), query))


@app.get(
    "/api/disputes/<id>",
    middlewares=[requires("dispute:read")],
    **doc("A dispute, what we know of its session, and our answer", tag="Payments", problems=[404]),
)
def get_dispute(dispute_id: Annotated[UUID, Path(alias="id")]) -> Data[DisputeDetail]:
    return one(disputes.get_dispute(caller(app), dispute_id))


@app.post(
    "/api/disputes/<id>/evidence",
    middlewares=[requires("dispute:respond")],
    **doc("Draft our answer; as an ADMIN, submit it to the bank", tag="Payments", problems=[404, 409]),
)
def answer(dispute_id: Annotated[UUID, Path(alias="id")], body: EvidenceInput) -> Data[DisputeDetail]:
    return one(disputes.answer(caller(app, body), dispute_id, body))


lambda_handler = entrypoint(app)
