"""A small API that uses all of the shared layer's HTTP core: what the tests of it ask."""

from datetime import time
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.api_gateway import Response
from aws_lambda_powertools.event_handler.openapi.params import Path
from aws_lambda_powertools.event_handler.openapi.params import Query as InQuery
from pydantic import Field

from coachline.api import Caller, caller, create_app, created, doc, entrypoint, no_content, requires
from coachline.models import Data, Input, Instant, Money, Output, Page, Price, TimeZoneName
from coachline.pagination import PageQuery, page
from coachline.problems import Conflict, NotFound

ITEM = UUID("6b1f4a52-7e3c-4d8e-9a54-0c7f2d0c9b11")

app = create_app()
calls: list[Caller] = []


class Interval(Input):
    from_: Annotated[time, Field(alias="from")]
    to: time


class Day(Input):
    day: str
    intervals: Annotated[list[Interval], Field(max_length=8)]


class NewItem(Input):
    name: Annotated[str, Field(min_length=1, max_length=100)]
    owner_id: UUID
    opens_at: Instant
    stock: Annotated[int, Field(ge=0, le=1000)] = 0
    price: Price | None = None
    zone: TimeZoneName = "UTC"
    labels: list[str] = []  # noqa: RUF012 - Pydantic copies it - pydantic copies it
    weekly: list[Day] = []  # noqa: RUF012 - Pydantic copies it
    extra: dict[str, object] | None = None


class Item(Output):
    id: UUID
    name: str
    opens_at: Instant
    price: Money | None


class Wanted(PageQuery):
    since: Instant | None = None
    colour: Annotated[str | None, Field(alias="colour-of")] = None


@app.post(
    "/api/items",
    middlewares=[requires("item:create", idempotency_key="required")],
    **doc(
        "Add an item",
        tag="Items",
        status=201,
        problems=[409],
        example={"data": {"id": str(ITEM), "name": "Tea", "opensAt": "2027-03-08T14:00:00Z", "price": None}},
        body_example={"name": "Tea", "ownerId": str(ITEM), "opensAt": "2027-03-08T14:00:00Z"},
    ),
)
def add(body: NewItem) -> Response[Data[Item]]:
    calls.append(caller(app, body))
    if body.name == "taken":
        raise Conflict("There is such an item already.", code="item_exists", extensions={"reason": "name"})
    item = Item(id=ITEM, name=body.name, opens_at=body.opens_at, price=body.price)
    return created(item, f"/api/items/{ITEM}")


@app.get("/api/items", middlewares=[requires("item:list")], **doc("List items", tag="Items"))
def items(query: Annotated[Wanted, InQuery()]) -> Page[Item]:
    rows = [{"id": ITEM, "name": "Tea", "opens_at": "2027-01-01T00:00:00.5+02:00", "price": None, "secret": 1}] * 3
    found, next_cursor = page(rows, query.limit, lambda row: [str(row["name"])])
    return Page[Item].model_validate({"data": found, "next_cursor": next_cursor})


@app.get("/api/items/<itemId>", middlewares=[requires()], **doc("Read an item", tag="Items"))
def item(item_id: Annotated[UUID, Path(alias="itemId")], deep: int = 0, q: str = "") -> Data[Item]:
    if item_id != ITEM or deep or q:
        raise NotFound
    return Data[Item](data=Item.model_validate({"id": ITEM, "name": "Täa", "opens_at": NOON, "price": PRICE}))


@app.delete("/api/items/<itemId>", middlewares=[requires("item:delete")], **doc("Delete", tag="Items", status=204))
def remove(item_id: Annotated[UUID, Path(alias="itemId")]) -> Response[None]:
    return no_content()


@app.post("/api/items/<itemId>/archive", middlewares=[requires("item:archive")], **doc("Archive", tag="Items"))
def archive(item_id: Annotated[UUID, Path(alias="itemId")]) -> Data[Item]:
    calls.append(caller(app))
    raise NotFound


@app.get("/api/open", **doc("What anyone may see", tag="Open"))
def anyone() -> Data[Item]:
    calls.append(caller(app))
    raise NotFound


@app.get("/api/broken", **doc("A response that does not fit", tag="Open"))
def broken() -> Data[Item]:
    return {"data": {"id": "no uuid: jane@example.com"}}  # type: ignore[return-value]  # the fault


@app.get("/api/crash", **doc("A bug", tag="Open"))
def crash() -> Data[Item]:
    raise RuntimeError("a bug")


NOON = "2027-03-08T12:00:00+00:00"
PRICE = {"amount": 2**53 - 1, "currency": "USD"}

lambda_handler = entrypoint(app, public=True, largest_body=20_000)
