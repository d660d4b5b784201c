"""CSV in and out: what a spreadsheet opens without running it, what comes back as it was, and what is refused where."""

import codecs
import csv
import io
import time
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coachline.members.csv_text import (
    BOM,
    LONGEST_FIELD,
    MOST_COLUMNS,
    CsvFault,
    Row,
    encoded,
    guarded,
    header,
    read,
    unguarded,
)

NASTY = st.text(
    st.sampled_from("=+-@\t\r\n'\",;|\\ aé中🏠\u2028\uff1d\x0b\x1f")
    | st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    max_size=12,
)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def fault(data: bytes, *, size: int) -> tuple[str, int, int | None]:
    def all_of_it() -> list[Row]:
        rows = read(pieces(data, size))
        return [header(rows), *rows]

    with pytest.raises(CsvFault) as caught:
        all_of_it()
    assert caught.value.detail.endswith((".", "?"))
    return caught.value.code, caught.value.row, caught.value.column


@given(st.lists(st.lists(NASTY, min_size=2, max_size=4), max_size=5), st.integers(1, 40), st.booleans())
@example([["=1+1", "'=1"], ["''-", "'"], ["\r", "\n"], ['"', '","'], ["a\r\nb", "\ufeffx"]], 1, True)
def test_what_is_written_comes_back_as_it_was(rows: list[list[str]], size: int, bom: bool) -> None:
    data = encoded(rows, bom=bom)

    assert [list(row.values) for row in read(pieces(data, size))] == rows
    assert [row.number for row in read(pieces(data, size))] == list(range(1, len(rows) + 1))


@given(NASTY)
def test_no_text_is_written_as_a_formula(text: str) -> None:
    assert guarded(text)[:1] not in {*"=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"}
    assert unguarded(guarded(text)) == text


@given(st.lists(st.lists(NASTY, min_size=2, max_size=4), min_size=1, max_size=5))
def test_another_reader_of_rfc_4180_agrees(rows: list[list[str]]) -> None:
    told = list(csv.reader(io.StringIO(encoded(rows).decode(), newline=""), strict=True))
    assert told == [[guarded(value) for value in row] for row in rows]


def test_lines_end_as_rfc_4180_says() -> None:
    assert encoded([["a", 'b"c'], ["d,e", "f\ng"]], bom=True) == BOM + b'a,"b""c"\r\n"d,e","f\ng"\r\n'


@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_other_line_ends_and_a_missing_last_one_are_read(end: str, last: bool) -> None:
    data = end.join(["a,b", "1,", "", "3,4"]) + (end if last else "")
    rows = [Row(1, ("a", "b")), Row(2, ("1", "")), Row(4, ("3", "4"))]
    assert list(read(pieces(data.encode(), 1))) == rows


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", ("csv_empty", 1, None)),
        (BOM, ("csv_empty", 1, None)),
        (b"\r\n\r\n", ("csv_empty", 1, None)),
        (b"MemberKey;MemberEmail\r\n1;2\r\n", ("csv_wrong_delimiter", 1, None)),
        (b"MemberKey\tMemberEmail\r\n1\t2\r\n", ("csv_wrong_delimiter", 1, None)),
        (b"MemberKey|MemberEmail\r\n", ("csv_wrong_delimiter", 1, None)),
        (",".join(f"c{n}" for n in range(300)).encode(), ("csv_too_many_columns", 1, None)),
        (b"," * 20_000, ("csv_too_many_columns", 1, None)),
        (b"a,b,a\r\n", ("csv_column_repeated", 1, 3)),
        (b"a,,b\r\n", ("csv_column_without_name", 1, 2)),
        (b'a,b\r\n1,x"y\r\n', ("csv_malformed_quotes", 2, 2)),
        (b'a,b\r\n"1"2,3\r\n', ("csv_malformed_quotes", 2, 1)),
        (b'a,b\r\n1,2\r\n3,"never\r\nclosed,\r\n', ("csv_malformed_quotes", 3, 2)),
        (b'a,b\r\n"two\nlines",1\r\n2,\xe9\r\n', ("csv_not_utf8", 3, 2)),
        (b"a,b\r\n1,x\0y\r\n", ("csv_nul", 2, 2)),
        (b"a,b\r\n\xff,1\r\n", ("csv_not_utf8", 2, 1)),
        (b"a,b\r\n1,caf\xc3", ("csv_not_utf8", 2, 2)),
        (b"a,\xe9\r\n", ("csv_not_utf8", 1, 2)),
        (codecs.BOM_UTF16_LE + "a,b".encode("utf-16-le"), ("csv_not_utf8", 1, None)),
        (b"a,b\r\n1," + b"x" * (LONGEST_FIELD + 1) + b"\r\n", ("csv_field_too_long", 2, 2)),
        (b'a,b\r\n1,"' + b"x" * 100_000, ("csv_field_too_long", 2, 2)),
    ],
)
def test_a_bad_file_is_refused_with_its_place(data: bytes, told: tuple[str, int, int | None]) -> None:
    assert fault(data, size=7 if len(data) < 9_000 else 999) == told
    assert fault(data, size=1 << 16) == told


def test_as_many_columns_as_are_allowed_are_read() -> None:
    names = [f"c{n}" for n in range(MOST_COLUMNS)]
    assert header(read([encoded([names])])).values == tuple(names)


def test_a_long_file_is_read_while_it_comes() -> None:
    """Not before its end: what is read first is known before the last piece exists. And in time that grows with it."""
    line = b"k,name@example.com,Active,Jane,Doe,212-555-0100,a text of some length,,,\r\n"

    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield line * 1000
        raise AssertionError("read to the end")

    rows = read(chunks())
    began = time.process_time()
    for _ in range(99_000):
        next(rows)
    assert time.process_time() - began < 10
