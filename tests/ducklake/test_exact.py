"""Sums without rounding agree with fractions, and aggregates with `statistics`, to the bit."""

from __future__ import annotations

import statistics
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.ducklake import exact
from adapters.ducklake.aggregates import AGGREGATES, latest_buckets
from adapters.memory.read_model import AGGREGATES as BY_STATISTICS
from adapters.memory.read_model import as_float

SMALLEST = 5e-324
LARGEST = 1.7976931348623157e308
special = st.sampled_from(
    [0.0, -0.0, 1.0, 2.5, SMALLEST, -SMALLEST, 1e-310, LARGEST, -LARGEST, 1e16, 1e16 + 2]
)
any_bits = st.binary(min_size=8, max_size=8).map(lambda b: struct.unpack("d", b)[0])
finite = any_bits.filter(lambda value: value - value == 0)
lists = st.lists(st.one_of(special, finite, st.floats(-1e6, 1e6)), min_size=1, max_size=60)


@settings(deadline=None)
@given(lists)
def test_sums_are_those_of_fractions(values: list[float]) -> None:
    array = np.array(values)
    assert Fraction(exact.exact_sum(array), exact.UNIT) == sum(map(Fraction, values))
    squares = Fraction(exact.exact_sum_of_squares(array), exact.UNIT**2)
    assert squares == sum(Fraction(value) ** 2 for value in values)


def test_sums_longer_than_a_chunk_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "CHUNK", 7)
    values = [LARGEST, 1.0, -LARGEST, SMALLEST] * 10
    array = np.array(values)
    assert Fraction(exact.exact_sum(array), exact.UNIT) == sum(map(Fraction, values))
    squares = Fraction(exact.exact_sum_of_squares(array), exact.UNIT**2)
    assert squares == sum(Fraction(value) ** 2 for value in values)


def test_a_full_chunk_of_the_largest_is_exact() -> None:
    array = np.full(exact.CHUNK, -LARGEST)
    assert Fraction(exact.exact_sum(array), exact.UNIT) == exact.CHUNK * Fraction(-LARGEST)
    squares = Fraction(exact.exact_sum_of_squares(array), exact.UNIT**2)
    assert squares == exact.CHUNK * Fraction(LARGEST) ** 2


@settings(deadline=None)
@given(lists.filter(lambda values: len(values) > 1))
def test_the_deviation_is_rounded_once_as_that_of_statistics_is(values: list[float]) -> None:
    array = np.array(values)
    found = exact.deviation(len(values), exact.exact_sum(array), exact.exact_sum_of_squares(array))
    try:
        assert found == statistics.stdev(values)
    except OverflowError:
        assert found == float("inf")


@pytest.mark.parametrize("aggregator", sorted(AGGREGATES))
@settings(deadline=None)
@given(values=lists)
def test_aggregates_are_those_of_statistics(aggregator: str, values: list[float]) -> None:
    buckets = np.zeros(len(values), np.int64)
    ((_, found),) = latest_buckets(buckets, np.array(values), 1, AGGREGATES[aggregator])
    assert repr(found) == repr(as_float(BY_STATISTICS[aggregator](values)))


@pytest.mark.parametrize("aggregator", ["p90", "p95", "p99", "p999"])
def test_ranks_are_the_nearest_for_every_count(aggregator: str) -> None:
    for count in range(1, 2100):
        values = np.arange(count, dtype=np.float64)
        expected = BY_STATISTICS[aggregator](values.tolist())
        assert AGGREGATES[aggregator](values) == expected


@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_the_latest_buckets_come_first(buckets: list[int], limit: int) -> None:
    values = np.arange(len(buckets), dtype=np.float64)
    found = list(latest_buckets(np.array(buckets, np.int64), values, limit, len))
    expected = sorted(set(buckets), reverse=True)[:limit]
    assert found == [(bucket, buckets.count(bucket)) for bucket in expected]
