"""Values are stored as decimals where that keeps every bit, and as doubles elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from adapters.ducklake.database import Location, attach, connect
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.store import decimals, tables
from adapters.ducklake.store.decimals import MAX_DECIMALS, MAX_DIGITS, as_decimals
from adapters.ducklake.store.stores import DuckLakeStores
from application.projections.folds import POINTS
from application.projections.ports import Role
from domain.values import bits_of, from_bits
from tests.contracts.metric_log import Point
from tests.contracts.projection_store import commit, recorded

few_decimals = st.builds(
    lambda digits, places: digits / 10**places,
    st.integers(1 - MAX_DIGITS, MAX_DIGITS - 1),
    st.integers(0, MAX_DECIMALS),
)
any_value = st.builds(from_bits, st.integers(0, 2**64 - 1))


def columns(values: Sequence[float], metrics: Sequence[int] | None = None) -> pa.Table:
    codes = np.zeros(len(values), np.uint8) if metrics is None else np.array(metrics, np.uint8)
    return pa.table(as_decimals(np.array(values, np.float64), codes))


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with closing(duckdb.connect(config={"threads": 1})) as opened:
        yield opened


@given(
    points=st.lists(st.tuples(few_decimals | any_value.map(lambda v: v + 0.0), st.integers(0, 3)))
)
def test_duckdb_reads_every_value_back_bit_for_bit(
    connection: duckdb.DuckDBPyConnection, points: list[tuple[float, int]]
) -> None:
    values = [value + 0.0 for value, _ in points]
    connection.register("stored", columns(values, [metric for _, metric in points]))
    rows = connection.execute(f"SELECT {decimals.SQL} FROM stored").fetchall()
    assert all(
        bits_of(found) == bits_of(value) or (found != found and value != value)
        for (found,), value in zip(rows, values, strict=True)
    )


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1), st.integers(0, MAX_DECIMALS))
def test_decimals_are_stored_as_digits(digits: list[int], places: int) -> None:
    table = columns([digit / 10**places for digit in digits])
    assert table["value"].null_count == len(digits)
    (divisor,) = set(table["divisor"].to_pylist())
    assert 10**places % divisor == 0
    assert [d * 10**places // divisor for d in table["digits"].to_pylist()] == digits


@pytest.mark.parametrize("value", [math.pi, math.inf, math.nan, 1e300, 1e-10, float(MAX_DIGITS)])
def test_other_values_are_stored_as_doubles(value: float) -> None:
    table = columns([value])
    assert (table["value"].null_count, table["digits"].null_count) == (0, 1)
    assert table["divisor"].null_count == 1


def test_a_few_others_among_a_metric_s_decimals_are_doubles() -> None:
    table = columns([0.25, 0.5, math.nan, 0.75, 1.0])
    assert table["digits"].to_pylist() == [25, 50, None, 75, 100]


def test_a_metric_of_doubles_has_no_decimals_here_and_there() -> None:
    values = [0.1, math.pi, math.e, 2.0, 0.5, 1.0]
    table = columns(values, [0, 0, 0, 0, 1, 1])
    assert table["digits"].to_pylist() == [None] * 4 + [5, 10]


def test_a_generation_of_an_earlier_release_is_written_and_read_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has doubles in `value`, until it is rebuilt."""
    points: list[Point] = [("m", n, n / 4, {"host": "a"}) for n in range(8)]
    location = Location(root=tmp_path)
    with closing(DuckLakeStores(location)) as stores:
        old = stores.create(POINTS, Role.LIVE)
        with monkeypatch.context() as patched:
            columns = tables.POINTS.columns.removesuffix(", digits BIGINT, divisor INTEGER")
            assert columns != tables.POINTS.columns
            patched.setitem(
                tables.TABLES,
                POINTS.name,
                structs.replace(tables.POINTS, columns=columns, view=None),
            )
            with stores.open(old):
                pass
        with stores.open(old) as store:
            commit(store, recorded(0, 1, points))
        new = stores.create(POINTS, Role.BUILDING)
        with stores.open(new) as store:
            commit(store, recorded(0, 1, points))
        assert stores.digests(old) == stores.digests(new)
        with closing(DuckLakePointExport(location)) as export:
            exported: list[Any] = [row.value for rows in export.rows("gilt", None) for row in rows]
        assert exported == [value for _, _, value, _ in points]
    with closing(connect(location)) as connection:
        attach(connection, location, "series-2", "lake", read_only=True)
        shown = connection.execute("SELECT value FROM lake.points ORDER BY time").fetchall()
    assert [value for (value,) in shown] == exported
