"""Members as a CSV file: RESO's names and values, read page by page, in memory that does not grow with their number."""

import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import uuid4

from pydantic import Field

from coachline import clock, files
from coachline.api import Caller
from coachline.database import as_caller
from coachline.members.columns import COLUMNS, Column, line
from coachline.members.csv_text import encoded
from coachline.models import Data, Instant, Output, Query, example
from coachline.problems import Unprocessable

PAGE = 2000
# Lambda's answer has at most 6 MB as JSON, where a byte of UTF-8 can take three.
MOST_INLINE_BYTES = 1024 * 1024
MOST_SECONDS = 25.0  # API Gateway waits for 30

CSV = "text/csv; charset=utf-8; header=present"
DESCRIPTION = (
    "Up to a megabyte comes as text/csv; more, or with `delivery=LINK`, as JSON with a link to the file that is good "
    "for a quarter of an hour and needs no session token. Texts that a spreadsheet would take for a formula begin with "
    "an apostrophe, which an import takes away again. Every export is audited."
)

Delivery = StrEnum("Delivery", {"AUTO": "AUTO", "LINK": "LINK"})


class ExportQuery(Query):
    """Which members, which columns, and how they are delivered."""

    status: Annotated[
        Literal["ACTIVE", "INACTIVE", "PENDING", "SUSPENDED"] | None, Field(description="Ours; the file says RESO's.")
    ] = None
    type: Annotated[str | None, Field(max_length=50, description="A value of MemberType.")] = None
    designation: Annotated[str | None, Field(max_length=255, description="A value of MemberDesignation.")] = None
    license_state: Annotated[str | None, Field(pattern="^[A-Z]{2}$")] = None
    license_expires_before: date | None = None
    updated_since: Instant | None = None
    columns: Annotated[
        str | None,
        Field(max_length=2000, description="RESO's names with commas between, in the order wanted; all if left out."),
    ] = None
    bom: Annotated[bool, Field(description="Begin with a byte order mark, for Excel.")] = False
    delivery: Annotated[Delivery, Field(description="LINK for a link whatever the size.")] = Delivery.AUTO


class ExportLink(Output):
    """Where the file can be fetched, without a token, until the link ends."""

    model_config = example(
        url="https://coachline-files.s3.amazonaws.com/exports/5f0c.csv?X-Amz-Signature=…",
        expiresAt="2027-03-08T14:15:00Z",
        rows=100000,
        bytes=21504213,
    )

    url: str
    expires_at: Instant
    rows: int
    bytes: int


CONTENT: dict[str, Any] = {
    "application/json": {"model": Data[ExportLink]},
    "text/csv": {
        "schema": {"type": "string"},
        "example": "MemberKey,MemberEmail,MemberStatus\r\nM-10442,casey@example.com,Active\r\n",
    },
}
"""What OpenAPI says of the two answers."""


def export(caller: Caller, query: ExportQuery) -> str | dict[str, Any]:
    """The file's text; past `MOST_INLINE_BYTES`, or when asked for, an `ExportLink`. Audited before it is given out."""
    columns = _columns(query.columns)
    filters = {
        "status": query.status,
        "type": query.type,
        "designation": query.designation,
        "license_state": query.license_state,
        "license_expires_before": query.license_expires_before and query.license_expires_before.isoformat(),
        "updated_since": query.updated_since and query.updated_since.isoformat(),
    }
    given = {name: value for name, value in filters.items() if value is not None}
    database = as_caller(caller)
    export = _Export(query.delivery is Delivery.LINK)
    try:
        export.write(encoded([[column.reso for column in columns]], bom=query.bom))
        for members in _pages(database, given):
            export.write(encoded(line(columns, member) for member in members))
            export.rows += len(members)
        export.close()
    except BaseException:
        export.abort()
        raise
    details = {"filter": given, "columns": [column.reso for column in columns], "rows": export.rows}
    delivery = "LINK" if export.upload else "INLINE"
    database.write("record_member_export", details={**details, "bytes": export.bytes, "delivery": delivery})
    if not export.upload:
        return export.waiting.decode()
    return {
        "url": files.signed_download(export.key, file_name()),
        "expires_at": clock.now() + timedelta(seconds=files.LINK_SECONDS),
        "rows": export.rows,
        "bytes": export.bytes,
    }


def file_name() -> str:
    """What the file is saved as."""
    return f"members-{clock.now():%Y-%m-%d}.csv"


def _columns(wanted: str | None) -> Sequence[Column]:
    if wanted is None:
        return list(COLUMNS.values())
    names = [name.strip() for name in wanted.split(",")]
    unknown = [name for name in names if name not in COLUMNS]
    if unknown:
        detail = f"Unknown: {', '.join(unknown)[:200]}. There are {', '.join(COLUMNS)}"
        raise Unprocessable(errors=[{"parameter": "columns", "detail": detail}])
    return [COLUMNS[name] for name in dict.fromkeys(names)]


def _pages(database: Any, filters: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
    after, until = None, time.monotonic() + MOST_SECONDS
    while True:
        members = database.read("export_members", filter=filters, after=after, page_size=PAGE)
        yield members
        if len(members) < PAGE:
            return
        if time.monotonic() > until:
            raise Unprocessable(
                "These are more members than one file takes. Narrow the filter.", code="export_too_large"
            )
        after = members[-1]["user_id"]


class _Export:
    """Text that waits in memory, and goes to S3 once it is too much to be an answer."""

    def __init__(self, to_file: bool) -> None:
        self.rows = self.bytes = 0
        self.waiting = bytearray()
        self.key = f"exports/{uuid4().hex}.csv"
        self.upload = files.Upload(self.key) if to_file else None

    def write(self, content: bytes) -> None:
        self.bytes += len(content)
        if self.upload is None and self.bytes > MOST_INLINE_BYTES:
            self.upload = files.Upload(self.key)
            self.upload.write(bytes(self.waiting))
            self.waiting.clear()
        if self.upload:
            self.upload.write(content)
        else:
            self.waiting += content

    def close(self) -> None:
        if self.upload:
            self.upload.finish()

    def abort(self) -> None:
        if self.upload:
            self.upload.abort()
