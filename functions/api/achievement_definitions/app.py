"""GET POST /api/achievements/definitions, GET PATCH DELETE …/{id}: what can be achieved."""

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from coachline.api import caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.growth import achievements
from coachline.growth.achievement_input import DefinitionInput, DefinitionPatch
from coachline.growth.achievements import Definition
from coachline.models import Data, Page, many, one
from coachline.pagination import PageQuery

DefinitionId = Annotated[UUID, Path(alias="id")]

app = create_app()


@app.get(
    "/api/achievements/definitions",
    middlewares=[requires("achievement:read")],
    **doc("What can be achieved, by code", tag="Achievements"),
)
def list_definitions(query: Annotated[PageQuery, Query()]) -> Page[Definition]:
    return many(achievements.list_definitions(caller(app), query))


@app.post(
    "/api/achievements/definitions",
    middlewares=[requires("achievement:manage")],
    **doc("Define an achievement", tag="Achievements", status=201, problems=[409]),
)
def create_definition(body: DefinitionInput) -> Response[Data[Definition]]:
    definition = achievements.create_definition(caller(app, body), body)
    return created(definition, f"/api/achievements/definitions/{definition['id']}")


@app.get(
    "/api/achievements/definitions/<id>",
    middlewares=[requires("achievement:read")],
    **doc("One of them", tag="Achievements", problems=[404]),
)
def get_definition(definition_id: DefinitionId) -> Data[Definition]:
    return one(achievements.get_definition(caller(app), definition_id))


@app.patch(
    "/api/achievements/definitions/<id>",
    middlewares=[requires("achievement:manage")],
    **doc("Change a definition", tag="Achievements", problems=[404, 409]),
)
def update_definition(definition_id: DefinitionId, body: DefinitionPatch) -> Data[Definition]:
    return one(achievements.update_definition(caller(app), definition_id, body))


@app.delete(
    "/api/achievements/definitions/<id>",
    middlewares=[requires("achievement:manage")],
    **doc("Retire a definition; grants stay", tag="Achievements", status=204, problems=[404]),
)
def retire_definition(definition_id: DefinitionId) -> Response[None]:
    achievements.retire_definition(caller(app), definition_id)
    return no_content()


lambda_handler = entrypoint(app)
