"""Written points are read back as a publish that stores exactly the same points."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_files import Format, opened_points, point_writer
from adapters.point_files.formats import as_published
from adapters.point_formats.json.careful import read_carefully
from adapters.point_formats.json.timestamps import MAX_SECONDS, to_milliseconds
from application.event_log.receipts import Receipt
from application.reading.ports import PointRow
from domain.metric_point import MAX_TIMESTAMP

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
    st.floats(allow_nan=False, allow_infinity=False),
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
    for batch in batches:
        published = read_carefully(batch.body, FOREVER, 10)
        read += list(published.points())
    assert [(p.name, p.timestamp, repr(p.value), p.tags) for p in read] == [
        (row.name, row.time, repr(row.value), dict(row.tags)) for row in points
    ]


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
