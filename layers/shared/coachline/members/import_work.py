"""How the consumer works off an import: some thousand rows for each message, and the next message for the rest.

Where it is is in the database. A worker that dies loses at most its batch, which the message's next delivery does
again; one that comes late finds the import ahead of it and changes nothing.
"""

from collections.abc import Callable, Iterator
from itertools import dropwhile, islice
from typing import Any

from coachline import clock, files
from coachline.database import Database
from coachline.members.columns import Header, header_of
from coachline.members.csv_text import CsvFault, Row, header, read
from coachline.members.import_rows import staged, wanted
from coachline.members.imports import MOST_FILE_BYTES, described

BATCH = 500  # rows for one statement; their people and their checks are what is in memory
BATCHES = 10  # for one message
MOST_ROWS = 50_000
PATIENCE = 50.0  # seconds: all of a large file is applied in one statement, which is allowed 45
_ENDED = {"COMPLETED", "REFUSED"}


def work(database: Database, import_id: str, again: Callable[[str], None]) -> None:
    """Take an import some steps further, and ask for the next message unless that ended it."""
    state = database.write("claim_member_import", import_id=import_id)
    if state["status"] == "CHECKING":
        try:
            state = {**state, **_check(database, import_id, state["file_key"], state["rows_read"])}
        except CsvFault as fault:
            state = database.write("refuse_member_import", import_id=import_id, problem=described(fault))
    elif state["status"] == "APPLYING":
        state = _apply(database, import_id)
    if state["status"] not in _ENDED:
        again(import_id)


def _check(database: Database, import_id: str, key: str, rows_read: int) -> Any:
    """Stage the next rows of the file; CsvFault when it cannot be read."""
    rows, first = _opened(key)
    # Read again from the start: parsing 20,000 rows takes a quarter of a second, and a place in bytes could be wrong.
    rest = dropwhile(lambda row: row.number <= rows_read, rows)
    state: Any = {"status": "CHECKING", "rows_read": rows_read}
    for _ in range(BATCHES):
        batch = list(islice(rest, BATCH))
        if batch and batch[-1].number > MOST_ROWS + 1:
            raise CsvFault("csv_too_many_rows", f"At most {MOST_ROWS} rows are imported at once.", batch[-1].number)
        people = database.read("match_members", wanted=wanted(batch, first)) if batch else []
        ended = len(batch) < BATCH
        state = database.write(
            "stage_member_import",
            import_id=import_id,
            rows_read=state["rows_read"],
            last_row=batch[-1].number if batch else state["rows_read"],
            batch=list(staged(batch, first, people, clock.now().date())),
            ignored_columns=first.ignored,
            ended=ended,
        )
        if ended or state["status"] != "CHECKING":
            break
    return state


def _opened(key: str) -> tuple[Iterator[Row], Header]:
    size = files.size(key)
    if size is None:
        raise CsvFault("file_missing", "The uploaded file is no longer there. Upload it again.", 1)
    if size > MOST_FILE_BYTES:
        raise CsvFault("file_too_large", f"The file has {size} bytes; at most {MOST_FILE_BYTES} are read.", 1)
    rows = read(files.chunks(key))
    return rows, header_of(header(rows))


def _apply(database: Database, import_id: str) -> Any:
    state: Any = {"status": "APPLYING"}
    for _ in range(BATCHES):
        state = database.write("apply_member_import", import_id=import_id, batch=BATCH)
        if state["status"] != "APPLYING":
            break
    return state
