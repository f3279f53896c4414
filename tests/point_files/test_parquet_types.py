"""The types that the columns of a Parquet file may have, and their meaning."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_files import Format, point_writer
from adapters.point_files.parquet_types import readers_of
from application.event_log.receipts import Receipt
from application.publishing.import_points import UnreadablePoints
from application.reading.ports import PointRow
from domain.metric_point import MAX_TIMESTAMP
from tests.point_files.support import parquet, read

TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.dictionary(pa.int32(), pa.large_string()),
]
INTEGERS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()]
INTEGERS += [pa.uint64()]
ENTRY = pa.struct({"key": pa.string(), "value": pa.string()})


def fields(tmp_path: Path, **columns: Any) -> list[Any]:
    """Return the field of each point that is read from a file with this column."""
    [name] = columns
    points = read(parquet(tmp_path / "points.parquet", **columns), Format.PARQUET)
    return [point[name] for _, point in points]


@pytest.mark.parametrize("kind", TEXTS, ids=str)
def test_names_are_text(tmp_path: Path, kind: pa.DataType) -> None:
    assert fields(tmp_path, name=pa.array(["a", "b"]).cast(kind)) == ["a", "b"]


@pytest.mark.parametrize("kind", INTEGERS, ids=str)
def test_integers_are_values_and_timestamps_as_in_a_publish(
    tmp_path: Path, kind: pa.DataType
) -> None:
    assert fields(tmp_path, timestamp=pa.array([0, 127], kind)) == [0, 127]
    assert fields(tmp_path, value=pa.array([0, 127], kind)) == [0.0, 127.0]


@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
@pytest.mark.parametrize(("unit", "per_second"), [("s", 1), ("ms", 10**3), ("us", 10**6)])
def test_a_timestamp_may_have_any_unit_and_zone(
    tmp_path: Path, unit: str, per_second: int, zone: str | None
) -> None:
    times = pa.array([1398788625 * per_second, 0], pa.timestamp(unit, zone))
    assert fields(tmp_path, timestamp=times) == [1398788625000, 0]


def test_times_are_truncated_to_milliseconds(tmp_path: Path) -> None:
    times = pa.array([1398788625_001_999_999], pa.timestamp("ns"))
    assert fields(tmp_path, timestamp=times) == [1398788625001]


@pytest.mark.parametrize("milliseconds", [-1, 1, MAX_TIMESTAMP + 1, 2**62])
def test_a_time_that_cannot_be_published_is_refused(tmp_path: Path, milliseconds: int) -> None:
    """A publish would read it in another unit, and store another time."""
    times = pa.array([milliseconds], pa.timestamp("ms"))
    with pytest.raises(UnreadablePoints, match="row 1: timestamp must be"):
        fields(tmp_path, timestamp=times)


@pytest.mark.parametrize(
    "kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(9, 2)], ids=str
)
def test_values_are_floats_or_decimals(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array([Decimal("1.5"), Decimal(-2)]).cast(pa.float64()).cast(kind)
    assert fields(tmp_path, value=values) == [1.5, -2.0]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_floats_that_are_not_finite_are_read_as_texts(tmp_path: Path, kind: pa.DataType) -> None:
    values = pa.array([math.inf, -math.inf, math.nan]).cast(kind)
    assert fields(tmp_path, value=values) == ["+Inf", "-Inf", "NaN"]


def test_a_value_that_is_null_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UnreadablePoints, match="row 2: value must be a number"):
        fields(tmp_path, value=pa.array([1.0, None], pa.float64()))


@pytest.mark.parametrize("column", ["name", "timestamp"])
def test_a_null_is_reported(tmp_path: Path, column: str) -> None:
    kind = pa.string() if column == "name" else pa.int64()
    with pytest.raises(UnreadablePoints, match=f"row 1: {column} must be"):
        fields(tmp_path, **{column: pa.array([None], kind)})


PAIRS = [("host", "a"), ("shipTo", "b")]
ENTRIES = [{"key": key, "value": value} for key, value in PAIRS]


@pytest.mark.parametrize(
    "tags",
    [
        *(pa.array([PAIRS, None], pa.map_(kind, kind)) for kind in TEXTS[:3]),
        pa.array([dict(PAIRS), None], pa.struct({"host": pa.string(), "shipTo": pa.string()})),
        pa.array([ENTRIES, None], pa.list_(ENTRY)),
        pa.array([ENTRIES, None], pa.large_list(ENTRY)),
        pa.array([ENTRIES, None], pa.list_(ENTRY, 2)),
        pa.array([ENTRIES, None], pa.list_(pa.struct({"value": pa.string(), "key": pa.string()}))),
        *(pa.array(['{"host":"a","shipTo":"b"}', None]).cast(kind) for kind in TEXTS),
        pa.array(['{"host":"a","shipTo":"b"}', None], pa.json_()),
    ],
    ids=lambda tags: str(tags.type),
)  # fmt: skip
def test_tags_of_every_type_are_read_as_a_map(tmp_path: Path, tags: pa.Array) -> None:
    assert fields(tmp_path, tags=tags) == [dict(PAIRS), {}]


def test_a_column_of_nulls_means_no_tags(tmp_path: Path) -> None:
    assert fields(tmp_path, tags=pa.nulls(2)) == [{}, {}]


tag_values = st.dictionaries(
    st.sampled_from(["a", "b", "c"]), st.one_of(st.none(), st.text(max_size=3)), max_size=3
)


@given(tags=tag_values)
def test_a_tag_whose_value_is_null_is_absent(tags: dict[str, str | None]) -> None:
    present = {name: value for name, value in tags.items() if value is not None}
    kinds = {
        pa.map_(pa.string(), pa.string()): list(tags.items()),
        pa.struct([(name, pa.string()) for name in "abc"]): {
            name: tags.get(name) for name in "abc"
        },
        pa.list_(ENTRY): [{"key": name, "value": value} for name, value in tags.items()],
    }
    for kind, value in kinds.items():
        schema = {"name": pa.string(), "timestamp": pa.int64(), "value": pa.float64()}
        *_, read_tags = readers_of(pa.schema([*schema.items(), ("tags", kind)]))
        assert read_tags(pa.array([value], kind).to_pylist()[0], "row 1") == present


@pytest.mark.parametrize(
    "tags",
    [
        pa.array([[("a", "1"), ("a", "2")]], pa.map_(pa.string(), pa.string())),
        pa.array([[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]], pa.list_(ENTRY)),
        pa.array([[{"key": None, "value": "1"}]], pa.list_(ENTRY)),
        pa.array([[None]], pa.list_(ENTRY)),
        pa.array(['{"a": 1}']),
        pa.array(["host=a"]),
    ],
    ids=str,
)
def test_tags_that_are_not_a_map_of_text_are_reported(tmp_path: Path, tags: pa.Array) -> None:
    with pytest.raises(UnreadablePoints, match="row 1: tags must"):
        fields(tmp_path, tags=tags)


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("name", pa.array([b"a"])),
        ("name", pa.array([1])),
        ("name", pa.nulls(1)),
        ("timestamp", pa.array([1.0])),
        ("timestamp", pa.array(["1"])),
        ("timestamp", pa.array([True])),
        ("timestamp", pa.array([date(2014, 4, 29)])),
        ("timestamp", pa.array([Decimal(1)])),
        ("timestamp", pa.array([1], pa.duration("s"))),
        ("value", pa.array([True])),
        ("value", pa.array(["1.5"])),
        ("value", pa.array([datetime(2014, 4, 29, tzinfo=UTC)])),
        ("value", pa.nulls(1)),
        ("tags", pa.array([["a"]])),
        ("tags", pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64()))),
        ("tags", pa.array([{"host": "a", "port": 1}])),
        ("tags", pa.array([{"host": "a", "more": {"a": "b"}}])),
        ("tags", pa.array([[{"key": "a", "value": 1}]])),
        ("tags", pa.array([[{"k": "a", "v": "b"}]])),
        ("tags", pa.array([[{"key": "a", "value": "b", "more": "c"}]])),
        ("tags", pa.array([b"{}"])),
        ("tags", pa.array([1])),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.type),
)  # fmt: skip
def test_any_other_type_is_refused_by_column_and_type(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    path = parquet(tmp_path / "points.parquet", **{column: values})
    kind = pq.read_schema(path).field(column).type
    with pytest.raises(UnreadablePoints) as refused:
        read(path, Format.PARQUET)
    assert str(refused.value).startswith(f"the column {column} is {kind}, but must be ")


def test_a_missing_or_repeated_column_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"name": ["a"], "value": [1.0]}), path)
    with pytest.raises(UnreadablePoints, match="lacks the column tags, timestamp"):
        read(path, Format.PARQUET)
    columns = [["a"], ["a"], [1], [1.0], ["{}"]]
    names = ["name", "name", "timestamp", "value", "tags"]
    pq.write_table(pa.table([pa.array(c) for c in columns], names=names), path)
    with pytest.raises(UnreadablePoints, match="has more than one column name"):
        read(path, Format.PARQUET)


@pytest.mark.parametrize("tags", ["tags", "map_entries(tags)", "to_json(tags)"])
def test_an_export_copied_by_duckdb_is_read_unchanged(tmp_path: Path, tags: str) -> None:
    exported, copied = tmp_path / "exported.parquet", tmp_path / "copied.parquet"
    row = PointRow("orders", 1398788625001, 0.5, {"host": "a", "env": "b"}, Receipt(0, 1, 0), 0)
    with exported.open("wb") as file, point_writer(Format.PARQUET, file) as writer:
        writer.write([row])
    with duckdb.connect() as connection:
        connection.sql(
            f"COPY (SELECT name, timestamp, value, {tags} AS tags FROM '{exported}') TO '{copied}'"
        )
    assert read(copied, Format.PARQUET) == read(exported, Format.PARQUET)
    [(_, point)] = read(copied, Format.PARQUET)
    assert point["tags"] == dict(row.tags)
