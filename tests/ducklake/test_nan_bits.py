"""NaNs keep their bits from the event to the export, through files, merges and caches."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ducklake.database import Location
from adapters.ducklake.query.column_cache import ColumnCache
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.query.metric_columns import MetricColumns
from adapters.ducklake.query.readers import Readers
from adapters.ducklake.store.nan_bits import with_nan_bits, without_nan_bits
from application.projections.folds import POINTS
from application.reading.ports import Selection
from domain.values import NAN_BITS, STALE, bits_of
from tests.contracts.metric_log import NOT_FINITE, Point
from tests.contracts.projection_store import commit, recorded
from tests.ducklake.support import live_store

VALUES = [1.0, 2.0, *NOT_FINITE]
REPEATS = 500
"""Points of each value: so many that a Parquet file has a dictionary of them."""

EVENTS = 40
"""So many that their files are merged."""


def points_of(event: int) -> list[Point]:
    """Return points whose values begin with another one in each event."""
    values = [*VALUES[event % len(VALUES) :], *VALUES[: event % len(VALUES)]]
    return [("m", event, value, {"host": f"h{i % 3}"}) for i, value in enumerate(values * REPEATS)]


@pytest.fixture(scope="module")
def location(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Location]:
    """A store of merged files with equally many points of each value."""
    location = Location(root=tmp_path_factory.mktemp("nans"))
    with live_store(location) as (stores, live, store):
        for number in range(EVENTS):
            commit(store, recorded(0, number + 1, points_of(number)))
        before = stores.digests(live)
        store._upkeep.merge(seconds=60)
        files = store._connection.execute("FROM ducklake_list_files('lake', 'series')").fetchall()
        assert len(files) < EVENTS
        assert stores.digests(live) == before
        yield location


def expected() -> Counter[int]:
    return Counter({bits_of(value): EVENTS * REPEATS for value in VALUES})


def test_merged_files_have_the_bits_of_every_value_and_the_tags(location: Location) -> None:
    with closing(DuckLakePointExport(location)) as export:
        rows = list(chain.from_iterable(export.rows("gilt", None)))
    assert Counter(bits_of(row.value) for row in rows) == expected()
    sent = Counter(
        (time, bits_of(value), tags["host"])
        for event in range(EVENTS)
        for _, time, value, tags in points_of(event)
    )
    assert Counter((row.time, bits_of(row.value), row.tags["host"]) for row in rows) == sent


def test_cached_columns_have_the_bits_of_every_value_and_the_tags_alone(
    location: Location,
) -> None:
    cache = ColumnCache(1 << 30)
    readers = Readers(location, threads=1, memory=1 << 28)
    try:
        with readers.reading(POINTS.name) as reading:
            selection = Selection(organization="gilt", metric="m")
            found = cache.points(reading, selection, reading.files())
    finally:
        readers.close()
    assert found is not None
    values = np.concatenate([values for _, values in found])
    assert Counter(values.tolist()) == {1.0: EVENTS * REPEATS, 2.0: EVENTS * REPEATS}
    kept = [columns for columns in cache._kept.values() if isinstance(columns, MetricColumns)]
    bits = chain.from_iterable(columns.values.view(np.uint64).tolist() for columns in kept)
    assert Counter(bits) == expected()
    assert {line for columns in kept for line in columns.tags.splitlines()} == {
        b'{"host":"h0"}', b'{"host":"h1"}', b'{"host":"h2"}',
    }  # fmt: skip


def test_columns_say_whether_all_values_are_finite() -> None:
    def columns(*values: float) -> MetricColumns:
        count = len(values)
        texts, codes, stored = with_nan_bits(["{}"], np.zeros(count, np.uint32), np.array(values))
        return MetricColumns.of(np.arange(count), stored, codes, pa.array(texts))

    assert columns(1.0, 2.0).finite
    assert not any(columns(1.0, value).finite for value in NOT_FINITE)


texts = st.sampled_from(["{}", '{"a":"}7ff0000000000002"}', '{"a":"b"}'])


@given(st.lists(st.tuples(texts, st.integers(0, 2**64 - 1) | st.just(bits_of(STALE)))))
def test_bits_come_back_from_the_text_of_the_tags(rows: list[tuple[str, int]]) -> None:
    table = sorted({text for text, _ in rows})
    codes = np.array([table.index(text) for text, _ in rows], np.uint32)
    values = np.array([bits for _, bits in rows], np.uint64).view(np.float64)
    stored, found, ordinary = with_nan_bits(table, codes, values)
    assert [
        (text, bits_of(value) if bits is None else bits)
        for (text, bits), value in zip(
            (without_nan_bits(stored[code]) for code in found.tolist()),
            ordinary.tolist(),
            strict=True,
        )
    ] == rows
    nans = {bits_of(value) for value in ordinary.tolist() if value != value}
    assert nans <= {NAN_BITS}
