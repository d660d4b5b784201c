"""CSV as RFC 4180 has it, written for spreadsheets and read with suspicion. Pure: bytes and texts, nothing of members.

Rows are counted as a spreadsheet counts them: the header is row 1, and a quoted line break starts no new row.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

BOM = codecs.BOM_UTF8
MOST_COLUMNS = 100
LONGEST_FIELD = 32_767  # characters; what a spreadsheet's cell holds

# What spreadsheets take for the start of a formula (CWE-1236, OWASP), full-width forms included.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_GUARDED = re.compile(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_FIELD = re.compile(r'(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n|\n|\r|\Z)')
_UNCLOSED = re.compile(r'"[^"]*(?:""[^"]*)*\Z')
_OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


class CsvFault(Exception):  # noqa: N818 - what is wrong with a file, not with us
    """Why a file cannot be read on: a stable code, a sentence, and where (row, and column if one is to blame)."""

    def __init__(self, code: str, detail: str, row: int, column: int | None = None) -> None:
        super().__init__(f"{code} in row {row}: {detail}")
        self.code, self.detail, self.row, self.column = code, detail, row, column


@dataclass(frozen=True)
class Row:
    """One record and its number."""

    number: int
    values: tuple[str, ...]


def guarded(text: str) -> str:
    """The text, with an apostrophe before what a spreadsheet would take for a formula; `unguarded` undoes it exactly.

    A text of apostrophes before such a character gets one more, so that what is taken away is always what was added.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    """The text as it was before `guarded`."""
    return text[1:] if _GUARDED.match(text) else text


def encoded(rows: Iterable[Sequence[str]], *, bom: bool = False) -> bytes:
    """Rows as UTF-8 with CRLF, every text guarded; `bom` for the first piece of a file that Excel shall open."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([guarded(value) for value in row] for row in rows)
    return (BOM if bom else b"") + buffer.getvalue().encode()


def read(chunks: Iterable[bytes]) -> Iterator[Row]:
    """The rows of a file that comes in pieces of any size; holds one piece and one row. Blank lines are left out.

    Raises CsvFault for what cannot be CSV in UTF-8. Whether a row fits the header is the caller's question.
    """
    for number, values in enumerate(_records(_Source(chunks)), 1):
        if values != [""]:
            yield Row(number, tuple(unguarded(value) for value in values))


def header(rows: Iterator[Row]) -> Row:
    """The first row, if it can be a header; CsvFault for no row, another delimiter, too many or repeated names."""
    first = next(rows, None)
    if first is None:
        raise CsvFault("csv_empty", "The file is empty: its first row has to name the columns.", 1)
    names = tuple(name.strip() for name in first.values)
    if len(names) > MOST_COLUMNS:
        raise CsvFault(
            "csv_too_many_columns", f"The header has {len(names)} columns; at most {MOST_COLUMNS} are read.", 1
        )
    if len(names) == 1:
        for character, plural in _OTHER_DELIMITERS.items():
            if character in names[0]:
                detail = f"The columns are separated by {plural}. Save the file with commas (CSV UTF-8)."
                raise CsvFault("csv_wrong_delimiter", detail, 1)
    for column, name in enumerate(names, 1):
        if not name:
            raise CsvFault("csv_column_without_name", f"Column {column} of the header has no name.", 1, column)
        if name in names[: column - 1]:
            raise CsvFault("csv_column_repeated", f"The header names {name[:60]} twice.", 1, column)
    return Row(first.number, names)


class _Source:
    """Decodes the pieces; what was good before a bad byte is handed out first, so that the fault has its place."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._started = self._bad = self.ended = False

    def more(self, row: int, column: int) -> str:
        """The next text, empty at the end only; CsvFault, with the place that the reader has reached, at a bad byte."""
        while not self._bad and not self.ended:
            chunk = next(self._chunks, None)
            if chunk is not None and not self._started:
                chunk = self._beginning(chunk)
            try:
                text = self._decoder.decode(chunk or b"", chunk is None)
            except UnicodeDecodeError as error:
                self._bad = True
                text = str(error.object[: error.start], "utf-8")
            self.ended = chunk is None and not self._bad
            if text:
                return text
        if self._bad:
            raise CsvFault("csv_not_utf8", "Not UTF-8 from here on. Save the file as CSV UTF-8.", row, column)
        return ""

    def _beginning(self, chunk: bytes) -> bytes:
        for _ in range(len(BOM) - 1):
            if len(chunk) < len(BOM):
                chunk += next(self._chunks, b"")
        self._started = True
        if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise CsvFault("csv_not_utf8", "The file is UTF-16. Save it as CSV UTF-8.", 1)
        return chunk.removeprefix(BOM)


def _records(source: _Source) -> Iterator[list[str]]:
    text, row, start = source.more(1, 1), 1, 0
    while text:
        values: list[str] = []
        position = start
        while True:
            field = _FIELD.match(text, position)
            # What reaches the end of the text may go on in the next piece: a field, a quote, the LF of a CR.
            if not source.ended and (
                field.end() == len(text) and field[3] in "\r" if field else _UNCLOSED.match(text, position)
            ):
                if len(text) - position > 2 * LONGEST_FIELD:
                    raise _too_long(text, position, row, len(values) + 1)
                text, position, start = text[start:] + source.more(row, len(values) + 1), position - start, 0
                continue
            if field is None:
                raise _broken(text, position, row, len(values) + 1)
            quoted, plain, end = field.groups()
            value = plain if quoted is None else quoted.replace('""', '"')
            if len(value) > LONGEST_FIELD:
                raise _too_long(text, position, row, len(values) + 1)
            if "\0" in value:
                raise CsvFault("csv_nul", "The field holds the character U+0000.", row, len(values) + 1)
            values.append(value)
            position = field.end()
            if end != ",":
                break
            if len(values) == 10 * MOST_COLUMNS:
                raise CsvFault("csv_too_many_columns", f"Row {row} has more than {len(values)} fields.", row)
        yield values
        row, start = row + 1, position
        if start == len(text):
            text, start = source.more(row, 1), 0


def _too_long(text: str, position: int, row: int, column: int) -> CsvFault:
    hint = " Is its closing quote missing?" if text[position] == '"' else ""
    return CsvFault("csv_field_too_long", f"A field is longer than {LONGEST_FIELD} characters.{hint}", row, column)


def _broken(text: str, position: int, row: int, column: int) -> CsvFault:
    if text[position] != '"':
        detail = (
            'A quote stands inside a field that does not begin with one. Quote the field, and write "" for a quote.'
        )
    elif _UNCLOSED.match(text, position):
        detail = "The quote that opens this field is never closed."
    else:
        detail = 'After a closing quote comes neither a comma nor a line break. Write "" for a quote inside a field.'
    return CsvFault("csv_malformed_quotes", detail, row, column)
