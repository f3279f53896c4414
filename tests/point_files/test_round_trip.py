"""Written points are read back as a publish that stores exactly the same points."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.point_files import Format, opened_points, point_writer
from adapters.point_files.formats import as_published
from adapters.point_formats.json.careful import read_carefully
from adapters.point_formats.json.timestamps import MAX_SECONDS, to_milliseconds
from application.event_log.receipts import Receipt
from application.reading.ports import PointRow
from domain.metric_point import MAX_TIMESTAMP
from domain.values import NAN_BITS, TEXTS, all_finite, bits_of, from_bits, is_stale

FOREVER = 1 << 62

names = st.from_regex(r"[a-zA-Z][_a-zA-Z0-9.-]{0,20}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
times = st.one_of(
    st.integers(0, MAX_SECONDS // 1000).map(lambda seconds: seconds * 1000),
    st.integers(MAX_SECONDS, MAX_TIMESTAMP),
)
rows = st.builds(
    PointRow,
    names,
    times,
    st.floats() | st.sampled_from(list(TEXTS.values())),
    st.dictionaries(names, texts, max_size=3),
    st.just(Receipt(0, 1, 0)),
    st.just(0),
)


def written(path: Path, form: Format, points: list[PointRow]) -> Path:
    with path.open("wb") as file, point_writer(form, file) as writer:
        for chunk in (points[:2], points[2:]):
            writer.write(chunk)
    return path


@pytest.mark.parametrize("form", Format)
@given(points=st.lists(rows, max_size=7))
def test_points_are_published_back_as_they_were(form: Format, points: list[PointRow]) -> None:
    with TemporaryDirectory() as directory:
        path = written(Path(directory) / "points", form, points)
        with opened_points(path, form) as source:
            assert source.total == len(points) + (form is Format.CSV)
            batches = list(source.batches(3))
    assert [len(batch.items) for batch in batches] == [
        len(points[i : i + 3]) for i in range(0, len(points), 3)
    ]
    read = []
    for number, batch in enumerate(batches):
        published = read_carefully(batch.body, FOREVER, 10, texts=batch.any_value)
        read += list(published.points())
        assert batch.any_value != all_finite([p.value for p in points[3 * number :][:3]])
    assert [(p.name, p.timestamp, bits_of(p.value), p.tags) for p in read] == [
        (row.name, row.time, kept_bits(row.value), dict(row.tags)) for row in points
    ]


def kept_bits(value: float) -> int:
    """Return the bits that a value has once it is imported: all NaNs but stale are one."""
    return NAN_BITS if math.isnan(value) and not is_stale(value) else bits_of(value)


def test_values_that_are_not_finite_are_texts_in_json_and_csv(tmp_path: Path) -> None:
    points = [structs.replace(POINT, value=value, tags={}) for value in TEXTS.values()]
    jsonl = written(tmp_path / "points.jsonl", Format.JSONL, points).read_text().splitlines()
    assert [json.loads(line)["value"] for line in jsonl] == list(TEXTS)
    _, *records = written(tmp_path / "points.csv", Format.CSV, points).read_text().splitlines()
    assert [record.split(",")[2] for record in records] == list(TEXTS)


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1))
def test_parquet_has_the_bits_of_every_value(bits: list[int]) -> None:
    points = [structs.replace(POINT, value=from_bits(each)) for each in bits]
    with TemporaryDirectory() as directory:
        path = written(Path(directory) / "points", Format.PARQUET, points)
        assert [*map(bits_of, pq.read_table(path)["value"].to_pylist())] == bits


@given(times)
def test_a_time_is_written_as_a_publish_reads_it(time: int) -> None:
    assert to_milliseconds(as_published(time)) == time


POINT = PointRow("orders", 1398788625001, 0.1, {"host": "a,b", "env": '"x"'}, Receipt(0, 1, 0), 0)


def test_json_lines_are_items_of_a_publish(tmp_path: Path) -> None:
    path = written(tmp_path / "points.jsonl", Format.JSONL, [POINT, POINT])
    first, second = path.read_text().splitlines()
    assert first == second
    assert json.loads(first) == {
        "name": "orders",
        "timestamp": 1398788625001,
        "value": 0.1,
        "tags": {"host": "a,b", "env": '"x"'},
    }


def test_csv_has_a_heading_and_tags_as_json(tmp_path: Path) -> None:
    path = written(tmp_path / "points.csv", Format.CSV, [POINT])
    assert path.read_text().splitlines() == [
        "name,timestamp,value,tags",
        'orders,1398788625001,0.1,"{""host"":""a,b"",""env"":""\\""x\\""""}"',
    ]


def test_parquet_has_a_time_and_a_map(tmp_path: Path) -> None:
    path = written(tmp_path / "points.parquet", Format.PARQUET, [POINT, POINT])
    types = {field.name: field.type for field in pq.read_schema(path)}
    assert list(types) == ["name", "timestamp", "value", "tags"]
    assert types["timestamp"] == pa.timestamp("ms", "UTC")
    assert types["tags"].key_type == types["tags"].item_type == pa.string()


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.csv", "csv"),
        ("a.JSONL", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.parquet", "parquet"),
        ("a", None),
    ],
)
def test_the_extension_determines_the_format(name: str, form: str | None) -> None:
    assert Format.of(Path(name)) == form
