"""Imports of member data by an ADMIN: a small text at once, an uploaded file in the background."""

import json
from datetime import timedelta
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Annotated, Any
from uuid import UUID, uuid4

from pydantic import Field, model_validator

from coachline import clock, files
from coachline.api import Caller
from coachline.database import Database, as_caller
from coachline.members.columns import header_of
from coachline.members.csv_text import CsvFault, header, read
from coachline.members.import_rows import staged, wanted
from coachline.models import Input, Instant, Output, example
from coachline.pagination import PageQuery, decode_cursor, page
from coachline.problems import ContentTooLarge, Unprocessable
from coachline.settings import file_settings

MOST_INLINE_BYTES = 5 * 1024 * 1024
MOST_BODY_BYTES = 11 * 512 * 1024
MOST_FILE_BYTES = 20 * 1024 * 1024
MOST_ROWS_AT_ONCE = 1000  # more take longer than a request should
_FILE_KEY = r"^imports/[0-9a-f]{32}\.csv$"
_IMPORT_ID = "8d1c7a52-3f60-4b7e-9d53-5b0e2f1f9a11"

Mode = StrEnum("Mode", {"ALL_OR_NOTHING": "ALL_OR_NOTHING", "VALID_ROWS": "VALID_ROWS"})
Severity = StrEnum("Severity", {"ERROR": "error", "WARNING": "warning"})


class ImportRequest(Input):
    """What to import: `csv`, or the `fileKey` of an upload. A dry run says what would happen and changes nothing."""

    model_config = example(
        csv="MemberKey,MemberEmail,MemberStatus\r\nM-10442,casey@example.com,Active\r\n", mode="VALID_ROWS", dryRun=True
    )

    csv: Annotated[str | None, Field(min_length=1, description="Up to 5 MB in UTF-8.")] = None
    file_key: Annotated[str | None, Field(pattern=_FILE_KEY)] = None
    mode: Mode = Mode.ALL_OR_NOTHING
    dry_run: bool = False

    @model_validator(mode="after")
    def _one_source(self) -> "ImportRequest":
        if (self.csv is None) == (self.file_key is None):
            raise ValueError("Send either csv or fileKey")
        return self


class Upload(Output):
    """Post a form to `url` with all of `fields` and then `file`; `fileKey` is what the import is given."""

    model_config = example(
        fileKey="imports/0b7c5f1d2a3e4b5c8d9e0f1a2b3c4d5e.csv",
        url="https://coachline-files.s3.amazonaws.com/",
        fields={"key": "imports/0b7c5f1d2a3e4b5c8d9e0f1a2b3c4d5e.csv", "policy": "eyJ…", "x-amz-signature": "5d0c…"},
        largestBytes=MOST_FILE_BYTES,
        expiresAt="2027-03-08T14:15:00Z",
    )

    file_key: str
    url: str
    fields: dict[str, str]
    largest_bytes: int
    expires_at: Instant


class RowCounts(Output):
    """Rows without the header; in a dry run, what would have been."""

    model_config = example(read=2, created=1, updated=0, unchanged=0, invalid=1)

    read: int
    created: int
    updated: int
    unchanged: int
    invalid: int


class FileProblem(Output):
    """Why nothing was applied; a file that cannot be read says where."""

    model_config = example(code="csv_not_utf8", detail="Row 17, column 3: not UTF-8 from here on.", row=17, column=3)

    code: str
    detail: str
    row: int | None = None
    column: int | None = None


class MemberImport(Output):
    """An import: QUEUED, CHECKING, APPLYING, then COMPLETED, or REFUSED with nothing applied."""

    model_config = example(
        id=_IMPORT_ID,
        status="COMPLETED",
        mode="VALID_ROWS",
        dryRun=False,
        createdBy="3e2ec15d-3d13-4e0d-a65c-377bd7400497",
        rows={"read": 2, "created": 1, "updated": 0, "unchanged": 0, "invalid": 1},
        ignoredColumns=["MemberFax"],
        problem=None,
        createdAt="2027-03-08T14:00:00Z",
        finishedAt="2027-03-08T14:00:01Z",
    )

    id: UUID
    status: str
    mode: Mode
    dry_run: bool
    created_by: UUID
    rows: RowCounts
    ignored_columns: list[str]
    problem: FileProblem | None
    created_at: Instant
    finished_at: Instant | None


class Finding(Output):
    """What a rule says of a row. `row` counts as a spreadsheet does, with the header as row 1."""

    model_config = example(
        row=17,
        column="MemberStateLicense",
        rule="licenseNumber.length",
        severity="error",
        message="Must have at most 50.",
    )

    row: int
    column: str | None
    rule: str
    severity: Severity
    message: str


class FindingQuery(PageQuery):
    """A page of findings, in the order of the file."""

    severity: Severity | None = None


def prepare_upload(caller: Caller) -> Any:
    """An `Upload`. A repeated key gets the same place and a new signature: a signature is never stored."""
    key = as_caller(caller).write("prepare_member_upload")["key"]
    signed = files.signed_upload(key, largest=MOST_FILE_BYTES)
    expires = clock.now() + timedelta(seconds=files.LINK_SECONDS)
    where = {"url": signed.url, "fields": signed.fields}
    return {"file_key": key, **where, "largest_bytes": MOST_FILE_BYTES, "expires_at": expires}


def start(caller: Caller, body: ImportRequest) -> Any:
    """A `MemberImport`: finished for up to `MOST_ROWS_AT_ONCE` rows of `csv`, queued for more and for a file.

    422 for a text that is no CSV of members and for a file that is not there, 413 for one that is too large.
    """
    database = as_caller(caller)
    options = {"mode": body.mode, "dry_run": body.dry_run}
    if body.csv is None:
        database.read("check_member_importer")
        _require_file(str(body.file_key))
        return _queued(database, {**options, "file_key": body.file_key})
    content = body.csv.encode()
    if len(content) > MOST_INLINE_BYTES:
        detail = f"csv has {len(content)} bytes; at most {MOST_INLINE_BYTES} are taken here. Upload it as a file."
        raise ContentTooLarge(detail)
    try:
        rows = read([content])
        first = header_of(header(rows))
        batch = list(islice(rows, MOST_ROWS_AT_ONCE + 1))
    except CsvFault as fault:
        database.read("check_member_importer")
        raise Unprocessable(str(described(fault)["detail"]), code=fault.code, errors=_errors(fault)) from None
    if len(batch) > MOST_ROWS_AT_ONCE:
        database.read("check_member_importer")
        key = f"imports/{uuid4().hex}.csv"
        files.put(key, content)
        return _queued(database, {**options, "file_key": key})
    people = database.read("match_members", wanted=wanted(batch, first))
    return database.write(
        "import_members",
        input={**options, "ignored_columns": first.ignored},
        batch=list(staged(batch, first, people, clock.now().date())),
        last_row=batch[-1].number if batch else 1,
    )


def get(caller: Caller, import_id: UUID) -> Any:
    """A `MemberImport`, or 404."""
    return as_caller(caller).read("get_member_import", import_id=str(import_id))


def findings(caller: Caller, import_id: UUID, query: FindingQuery) -> tuple[list[Any], str | None]:
    """A page of an import's `Finding`s and the cursor of the next."""
    row, place = decode_cursor(query.cursor, int, int) if query.cursor else (0, 0)
    found = as_caller(caller).read(
        "list_import_findings",
        import_id=str(import_id),
        wanted_severity=query.severity,
        after_row=row,
        after_place=place,
        page_size=query.limit + 1,
    )
    return page(found, query.limit, lambda each: (each["row"], each["place"]))


def described(fault: CsvFault) -> dict[str, Any]:
    """A fault as an import keeps it."""
    place = f"Row {fault.row}" + (f", column {fault.column}" if fault.column else "")
    return {"code": fault.code, "detail": f"{place}: {fault.detail}", "row": fault.row, "column": fault.column}


def enqueue(import_id: str) -> None:
    """Have the consumer take an import up, or go on with it."""
    message = json.dumps({"importId": import_id})
    _sqs().send_message(QueueUrl=file_settings().member_imports_queue_url, MessageBody=message)


def _errors(fault: CsvFault) -> list[dict[str, str]]:
    return [{"pointer": "#/csv", "detail": str(described(fault)["detail"])}]


def _require_file(key: str) -> None:
    size = files.size(key)
    if size is None:
        detail = "There is no such upload. Ask for one with POST /api/members/import/uploads, and post the file to it"
        raise Unprocessable(errors=[{"pointer": "#/fileKey", "detail": detail}])
    if size > MOST_FILE_BYTES:
        raise ContentTooLarge(f"The file has {size} bytes; at most {MOST_FILE_BYTES} are imported. Split it.")


def _queued(database: Database, options: dict[str, Any]) -> Any:
    made = database.write("start_member_import", input=options)
    # A repeated request sends the message again: the first may have been lost, and a second does nothing.
    enqueue(made["id"])
    return made


@cache
def _sqs() -> Any:
    import boto3  # noqa: PLC0415 - a third of a second, for files only

    return boto3.client("sqs")
