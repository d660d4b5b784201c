"""GET /api/health: alive; with ?deep=1, also whether the database answers."""

from typing import Annotated, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query

from coachline.api import caller, create_app, doc, entrypoint
from coachline.models import Data, Output, example, one

app = create_app()


class Health(Output):
    """`database` is null unless it was asked for."""

    model_config = example(status="ok", database=None)

    status: Literal["ok"]
    database: Literal["ok"] | None


@app.get("/api/health", **doc("Liveness; `deep=1` asks the database too", tag="Operations"))
def get_health(deep: Annotated[Literal["0", "1"], Query()] = "0") -> Data[Health]:
    return one({"status": "ok", "database": _ask_database() if deep == "1" else None})


def _ask_database() -> str:
    from coachline.database import as_caller  # noqa: PLC0415 - a liveness probe needs no database client

    as_caller(caller(app)).read("list_coaches", page_size=1)
    return "ok"


lambda_handler = entrypoint(app, public=True)
