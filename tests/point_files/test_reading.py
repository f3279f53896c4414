"""Files of others: what is taken, and how what is wrong is told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adapters.point_files import Format, PointFileError, count_points, read_batches

ITEM = {"name": "orders", "timestamp": 1398788625, "value": 1.5, "tags": {"host": "a"}}


def read(path: Path, form: Format) -> list[tuple[int, Any]]:
    return [
        (place, json.loads(item))
        for batch in read_batches(path, form, 2)
        for place, item in zip(batch.places, batch.items, strict=True)
    ]


def parquet(path: Path, **columns: Sequence[Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_empty_lines_of_json_count_as_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(f"{json.dumps(ITEM)}\n\n  {json.dumps(ITEM)}")
    assert read(path, Format.JSONL) == [(1, ITEM), (3, ITEM)]


def test_an_item_is_left_as_it_is(tmp_path: Path) -> None:
    """What a publish makes of it is the service's to say: other spellings, large numbers."""
    path = tmp_path / "points.jsonl"
    path.write_text('{"metric": "a", "value": 12345678901234567890, "more": [1]}\n')
    [batch] = read_batches(path, Format.JSONL, 2)
    assert batch.body == (
        b'{"metrics":[{"metric": "a", "value": 12345678901234567890, "more": [1]}]}'
    )


@pytest.mark.parametrize("line", ["[]", "{", '{"a": 1},{"b": 2}', "1", '{"a": "\xff"'])
def test_a_line_that_is_no_object_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(f"{json.dumps(ITEM)}\n{line}\n", encoding="latin-1")
    with pytest.raises(PointFileError, match="line 2 is not a JSON object"):
        read(path, Format.JSONL)


def test_csv_has_its_columns_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    path.write_bytes(
        b'\xef\xbb\xbfvalue,name,tags,timestamp\r\n1.5,orders,"{""host"": ""a""}",1398788625\r\n'
    )
    assert read(path, Format.CSV) == [(2, ITEM)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "line 1 must name the columns name, timestamp, value, tags"),
        ("name,value\n", "line 1 must name the columns"),
        ("HEAD\na,1,1\n", "line 2 must have 4 fields"),
        ("HEAD\na,1,1,{},5\n", "line 2 must have 4 fields"),
        ("HEAD\na,1,1,{}\na,1.5,1,{}\n", "line 3: timestamp must be a whole number"),
        ("HEAD\na,1,nan,{}\n", "line 2: value must be a finite number"),
        ("HEAD\na,1,many,{}\n", "line 2: value must be a finite number"),
        ("HEAD\na,1,1,host=a\n", "line 2: tags must be an object of strings"),
        ('HEAD\na,1,1,"{""a"":1}"\n', "line 2: tags must be an object of strings"),
        ("HEAD\na\xff,1,1,{}\n", "is not CSV"),
    ],
)
def test_what_is_wrong_in_csv_is_named(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "points.csv"
    path.write_text(text.replace("HEAD", "name,timestamp,value,tags"), encoding="latin-1")
    with pytest.raises(PointFileError, match=fault):
        read(path, Format.CSV)


def test_parquet_may_have_numbers_for_times_and_json_for_tags(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "points.parquet",
        tags=['{"host": "a"}'],
        name=["orders"],
        more=[1],
        timestamp=[1398788625],
        value=[1.5],
    )
    assert read(path, Format.PARQUET) == [(1, ITEM)]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_parquet_have_any_unit(tmp_path: Path, unit: str) -> None:
    seconds = pa.array([1398788625, 0], pa.int64()).cast(pa.timestamp("s"))
    path = parquet(
        tmp_path / "points.parquet",
        name=["a", "b"],
        timestamp=seconds.cast(pa.timestamp(unit)),
        value=[1, 2],
        tags=pa.array([[("host", "a")], None], pa.map_(pa.string(), pa.string())),
    )
    [(_, first), (_, second)] = read(path, Format.PARQUET)
    assert (first["timestamp"], first["tags"]) == (1398788625000, {"host": "a"})
    assert (second["timestamp"], second["tags"]) == (0, {})


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({"name": ["a"], "value": [1.0]}, "lacks the column tags, timestamp"),
        (
            {"name": ["a"], "value": [None], "timestamp": [1], "tags": ["{}"]},
            "row 1: value must be a finite number",
        ),
        (
            {"name": ["a"], "value": [1.0], "timestamp": [0.5], "tags": ["{}"]},
            "row 1: timestamp must be a whole number",
        ),
        (
            {"name": ["a"], "value": [1.0], "timestamp": [1], "tags": ["?"]},
            "row 1: tags must be an object",
        ),
    ],
)
def test_what_is_wrong_in_parquet_is_named(
    tmp_path: Path, columns: dict[str, list[Any]], fault: str
) -> None:
    with pytest.raises(PointFileError, match=fault):
        read(parquet(tmp_path / "points.parquet", **columns), Format.PARQUET)


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    path.write_text("name,timestamp,value,tags\n")
    for read_it in (read, count_points):
        with pytest.raises(PointFileError, match="is not a Parquet file"):
            read_it(path, Format.PARQUET)
