"""The public directory of coaches."""

from datetime import datetime
from typing import Any
from uuid import UUID

from coachline.api import Caller
from coachline.database import as_caller
from coachline.pagination import PageQuery, decode_cursor, page


def list_coaches(caller: Caller, query: PageQuery, specialty: str | None) -> tuple[list[Any], str | None]:
    """A page of `Coach`, newest first: published, with a rate and a schedule; and the next cursor."""
    after_created_at, after_id = decode_cursor(query.cursor, datetime, UUID) if query.cursor else (None, None)
    rows = as_caller(caller).read(
        "list_coaches",
        specialty=specialty,
        after_created_at=after_created_at and after_created_at.isoformat(),
        after_id=after_id and str(after_id),
        page_size=query.limit + 1,
    )
    return page(rows, query.limit, lambda row: (datetime.fromisoformat(row["created_at"]), UUID(row["coach_id"])))


def get_coach(caller: Caller, coach_id: UUID) -> Any:
    """One `Coach`; 404 when nobody who can be booked has that id."""
    return as_caller(caller).read("get_coach", coach_id=str(coach_id))
