"""Exact sums equal those of fractions, and aggregates equal those of `statistics`, to the bit."""

from __future__ import annotations

import math
import random
import statistics
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ducklake.query import exact
from adapters.ducklake.query.aggregates import AGGREGATES, latest_buckets
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


def check_sums(groups: list[list[float]]) -> None:
    values = np.array([value for group in groups for value in group])
    starts = np.cumsum([0, *map(len, groups[:-1])])
    assert fractions(exact.exact_sums(values, starts)) == [
        sum(map(Fraction, group)) for group in groups
    ]
    assert fractions(exact.exact_sums_of_squares(values, starts)) == [
        sum(Fraction(value) ** 2 for value in group) for group in groups
    ]


def fractions(sums: exact.Sums) -> list[Fraction]:
    return [total * Fraction(2) ** sums.exponent for total in sums.totals]


@given(st.lists(lists, min_size=1, max_size=5))
def test_sums_equal_those_of_fractions(groups: list[list[float]]) -> None:
    check_sums(groups)


@given(st.lists(special | finite | st.floats(0.001, 1000), max_size=8))
def test_values_are_close_whose_exponents_differ_by_23_at_most(values: list[float]) -> None:
    # The smallest numbers have the exponent of the smallest normal one.
    exponents = [max(math.frexp(value)[1], -1021) for value in values if value]
    expected = not exponents or max(exponents) - min(exponents) <= exact.CLOSE_SHIFT
    assert exact.are_close(np.array(values, np.float64)) == expected


def test_sums_longer_than_a_chunk_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "CHUNK", 7)
    values = [LARGEST, 1.0, -LARGEST, SMALLEST] * 10
    check_sums([values])
    check_sums([values[:9], values[:1], values, values[:30]])


def test_a_full_chunk_of_the_largest_values_is_exact() -> None:
    array, starts = np.full(exact.CHUNK, -LARGEST), np.array([0])
    assert fractions(exact.exact_sums(array, starts)) == [exact.CHUNK * Fraction(-LARGEST)]
    squares = exact.exact_sums_of_squares(array, starts)
    assert fractions(squares) == [exact.CHUNK * Fraction(LARGEST) ** 2]


@given(lists.filter(lambda values: len(values) > 1))
def test_the_deviation_is_rounded_once_as_in_statistics(values: list[float]) -> None:
    array, starts = np.array(values), np.array([0])
    sums = exact.exact_sums(array, starts), exact.exact_sums_of_squares(array, starts)
    (found,) = exact.deviations([len(values)], *sums)
    try:
        assert found == statistics.stdev(values)
    except OverflowError:
        assert found == float("inf")


@pytest.mark.parametrize("aggregator", sorted(AGGREGATES))
@given(groups=st.lists(lists, min_size=1, max_size=4), draw=st.randoms())
def test_aggregates_equal_those_of_statistics(
    aggregator: str, groups: list[list[float]], draw: random.Random
) -> None:
    rows = [(number, value) for number, group in enumerate(groups) for value in group]
    draw.shuffle(rows)
    buckets, values = np.array([b for b, _ in rows]), np.array([v for _, v in rows])
    found = dict(latest_buckets(buckets, values, len(groups), AGGREGATES[aggregator]))
    by_statistics = [repr(as_float(BY_STATISTICS[aggregator](group))) for group in groups]
    assert [repr(found[number]) for number in range(len(groups))] == by_statistics


@pytest.mark.parametrize("aggregator", ["p90", "p95", "p99", "p999"])
def test_percentiles_use_the_nearest_rank_for_every_count(aggregator: str) -> None:
    for count in range(1, 2100):
        values = np.arange(count, dtype=np.float64)
        expected = BY_STATISTICS[aggregator](values.tolist())
        assert AGGREGATES[aggregator](values, np.array([0])) == [expected]


@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_the_latest_buckets_come_first(buckets: list[int], limit: int) -> None:
    values = np.arange(len(buckets), dtype=np.float64)
    found = list(latest_buckets(np.array(buckets, np.int64), values, limit, AGGREGATES["count"]))
    expected = sorted(set(buckets), reverse=True)[:limit]
    assert found == [(bucket, buckets.count(bucket)) for bucket in expected]
