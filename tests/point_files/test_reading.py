"""Files from other programs: what is accepted, and where errors are located."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_files import Format
from adapters.point_files.items import MAX_LINE, value_in_text, whole_number
from application.publishing.import_points import UnreadablePoints
from domain.values import TEXTS, bits_of
from tests.point_files.support import ITEM, parquet, read, read_until_error

HEADING = "name,timestamp,value,tags"
TAGS = '"{""host"":""a""}"'


def test_empty_lines_of_json_are_only_counted(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(f"\ufeff{json.dumps(ITEM)}\r\n\r\n  {json.dumps(ITEM)}")
    assert read(path, Format.JSONL) == [(1, ITEM), (3, ITEM)]


def test_an_item_is_left_as_it_is(tmp_path: Path) -> None:
    """The service decides whether it is valid, with other spellings or large numbers."""
    path = tmp_path / "points.jsonl"
    path.write_text('{"metric": "a", "value": 12345678901234567890, "more": [1]}\n')
    assert read(path, Format.JSONL) == [
        (1, {"metric": "a", "value": 12345678901234567890, "more": [1]})
    ]


def test_a_line_that_is_not_utf_8_is_reported_by_its_own_number(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_bytes(b'{}\n{"name":"caf\xe9"}\n')
    with pytest.raises(UnreadablePoints, match=r"\Aline 2 is not UTF-8: [a-z ]+\Z"):
        read(path, Format.JSONL)


def test_a_line_with_half_a_surrogate_pair_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_bytes(b'{}\n{}\n{"name":"\\ud800"}\n')
    with pytest.raises(UnreadablePoints, match="line 3 has text that is not valid Unicode"):
        read(path, Format.JSONL)


@pytest.mark.parametrize("line", ["[]", "{", '{"a": 1},{"b": 2}', "1", '"\0"'])
def test_a_line_that_is_not_an_object_is_reported(tmp_path: Path, line: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(f"{json.dumps(ITEM)}\n{line}\n", encoding="latin-1")
    with pytest.raises(UnreadablePoints, match="line 2 is not a JSON object"):
        read(path, Format.JSONL)


@pytest.mark.parametrize("form", [Format.JSONL, Format.CSV])
def test_an_endless_line_is_not_read_completely(tmp_path: Path, form: Format) -> None:
    path = tmp_path / "points"
    path.write_bytes(b"x" * (MAX_LINE + 1))
    with pytest.raises(UnreadablePoints, match="line 1 is longer than"):
        read(path, form)


def test_csv_may_have_its_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(
        b'\xef\xbb\xbfvalue,name,tags,timestamp\r\n1.5,orders,"{""host"": ""a""}",1398788625\r\n'
    )
    assert read(path, Format.CSV) == [(2, ITEM)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_csv_may_have_any_line_end_and_be_empty(tmp_path: Path, end: str) -> None:
    path = tmp_path / "points.csv"
    quoted = f'orders,1398788625,1.5,"{{{end}""host"":""a""{end}}}"'
    path.write_bytes(end.join([HEADING, "", quoted, "", quoted, ""]).encode())
    assert read(path, Format.CSV) == [(3, ITEM), (7, ITEM)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1 must name the columns name, timestamp, value, tags"),
        ("name,value\n", "line 1 must name the columns"),
        ("HEAD\na,1,1\n", "line 2 must have 4 fields"),
        ("HEAD\na,1,1,{},5\n", "line 2 must have 4 fields"),
        ("HEAD\na,1,1,{}\na,1.5,1,{}\n", "line 3: timestamp must be a whole number"),
        ("HEAD\na,1,nan,{}\n", "line 2: value must be a finite number"),
        ("HEAD\na,1,1e999,{}\n", "line 2: value must be a finite number"),
        ("HEAD\na,1,many,{}\n", "line 2: value must be a finite number"),
        ("HEAD\na,1,1,host=a\n", "line 2: tags must be an object of strings"),
        ('HEAD\na,1,1,"{""a"":1}"\n', "line 2: tags must be an object of strings"),
        ("HEAD\na\xff,1,1,{}\n", "line 2 is not UTF-8"),
        ('HEAD\n"a\nb",x,1,{}\n', "line 3: timestamp must be a whole number"),
        ('HEAD\n"a\r\nb",1,1,"{\n"\n', "line 3: tags must be an object of strings"),
        ('HEAD\na,1,1,{}\n"a"b,1,1,{}\n', "line 3 is not CSV"),
        ('HEAD\na,1,1,{}\n"a,1,1,{}\nb,1,1,{}\n', r"line 3 \(read to line 4\) is not CSV"),
        ('HEAD\na,1,1,{}\n"a\n\xff', "line 4 is not UTF-8"),
    ],
)
def test_errors_in_csv_are_reported_with_their_line(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text.replace("HEAD", HEADING), encoding="latin-1", newline="")
    with pytest.raises(UnreadablePoints, match=fault):
        read(path, Format.CSV)


BAD_LINES: dict[Format, list[bytes]] = {
    Format.JSONL: [b'{"name":"\xff"}', b"nonsense", b"\0", b"[" * (MAX_LINE + 1), b'{"a":NaN}'],
    Format.CSV: [
        b"\xff,1,1,{}",
        b"a,1,1",
        b"a,x,1,{}",
        b"a,1,\0,{}",
        b'"a"b,1,1,{}',
        b"a,1,1," + b"{" * MAX_LINE,
    ],
}


@pytest.mark.parametrize(
    ("form", "bad"),
    [(form, bad) for form, lines in BAD_LINES.items() for bad in lines],
    ids=lambda value: repr(value[:20]),
)
@pytest.mark.parametrize(("line", "size"), [(2, 1), (150, 10), (30_000, 1000)])
def test_the_invalid_line_is_reported_and_the_batches_before_it_are_read(
    tmp_path: Path, form: Format, bad: bytes, line: int, size: int
) -> None:
    """However far the file is read ahead."""
    path = tmp_path / "points"
    good = json.dumps(ITEM) if form is Format.JSONL else f"orders,1398788625,1.5,{TAGS}"
    first = good if form is Format.JSONL else HEADING
    head = "".join(f"{text}\n" for text in [first, *[good] * (line - 2)]).encode()
    path.write_bytes(head + bad + f"\n{good}\n".encode() * 3)
    points, error = read_until_error(path, form, size)
    assert str(error).startswith((f"line {line} ", f"line {line}:"))
    before = line - 1 if form is Format.JSONL else line - 2
    assert len(points) == before - before % size


def _null(path: Path, row: int, rows: int) -> None:
    parquet(path, row_group=70, value=[None if i + 1 == row else 1.0 for i in range(rows)])


def _latin_1(path: Path, row: int, rows: int) -> None:
    names = [b"caf\xe9" if i + 1 == row else b"cafe" for i in range(rows)]
    parquet(path, row_group=70, name=_unchecked(names))


def _unchecked(texts: list[bytes]) -> pa.Array:
    """Return an array of unchecked text, as other writers may produce."""
    _, offsets, data = pa.array(texts, pa.binary()).buffers()
    return pa.Array.from_buffers(pa.string(), len(texts), [None, offsets, data])


@pytest.mark.parametrize("write", [_null, _latin_1])
@pytest.mark.parametrize("row", [1, 20, 71, 149, 150])
def test_the_invalid_row_is_reported_and_the_batches_before_it_are_read(
    tmp_path: Path, write: Callable[[Path, int, int], None], row: int
) -> None:
    """Even if batches and row groups do not end at the same row."""
    path = tmp_path / "points.parquet"
    write(path, row, 150)
    points, error = read_until_error(path, Format.PARQUET, 20)
    assert str(error).startswith(f"row {row}: ")
    assert len(points) == (row - 1) - (row - 1) % 20


def test_a_broken_row_group_is_reported_by_its_rows(tmp_path: Path) -> None:
    path = parquet(tmp_path / "points.parquet", row_group=100, value=[i / 7 for i in range(300)])
    group = pq.read_metadata(path).row_group(2)
    columns = map(group.column, range(group.num_columns))
    column = next(found for found in columns if found.path_in_schema == "value")
    content = bytearray(path.read_bytes())
    begin = column.dictionary_page_offset or column.data_page_offset
    content[begin : begin + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    points, error = read_until_error(path, Format.PARQUET, 50)
    assert str(error).startswith("rows 201 to 250 cannot be read: ")
    assert len(points) == 200


def test_a_file_that_is_not_parquet_is_reported(tmp_path: Path) -> None:
    path = parquet(tmp_path / "points.parquet", value=[1.0] * 100)
    whole = path.read_bytes()
    for content in (b"", f"{HEADING}\n".encode(), whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(UnreadablePoints, match="is not a readable Parquet file"):
            read(path, Format.PARQUET)


def test_parquet_may_have_more_columns_in_any_order(tmp_path: Path) -> None:
    path = parquet(tmp_path / "points.parquet", more=[1], tags=['{"host": "a"}'])
    assert read(path, Format.PARQUET) == [(1, ITEM)]


def no_number(text: str) -> None:
    for read_number in (whole_number, value_in_text):
        with pytest.raises(UnreadablePoints, match="line 1: "):
            read_number(text, "line 1")


foreign_digits = st.characters(categories=["Nd"], exclude_characters="0123456789")
around = st.sampled_from(["", "0", "1"])


@given(st.builds("".join, st.tuples(around, foreign_digits, around)))
def test_digits_are_ascii(text: str) -> None:
    no_number(text)


@pytest.mark.parametrize("text", ["", "1_000", " 1", "1\n", "0x1", "nan", "inf", "Infinity", "1e"])
def test_spellings_that_only_python_reads_are_not_numbers(text: str) -> None:
    no_number(text)


@given(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_they_are_written(whole: int, value: float) -> None:
    assert whole_number(str(whole), "") == whole
    assert repr(value_in_text(repr(value), "")) == repr(value)


@pytest.mark.parametrize("text", TEXTS)
def test_the_texts_of_values_that_are_not_finite_are_read(text: str) -> None:
    assert bits_of(value_in_text(text, "")) == bits_of(TEXTS[text])


@pytest.mark.parametrize("text", ["1", "-1", "+1", "1.", ".5", "007", "1e5", "1.5E-3"])
def test_plain_spellings_of_values_are_read(text: str) -> None:
    assert value_in_text(text, "") == float(text)
