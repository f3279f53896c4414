"""Batches: the fast check of columns agrees with the fault functions that explain it."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import metric_point
from domain.metric_point import (
    MetricPoint,
    PointBatch,
    TagSet,
    batch_fault,
    batch_of,
    tag_faults,
    tag_set,
    timestamp_fault,
    value_fault,
)
from domain.names import metric_name_fault
from domain.values import STALE, all_finite, bits_of, from_bits
from tests.domain.samples import quick, tag_names, tag_values, valid_names

LATEST = 1_398_875_025_000
NO_TAGS = TagSet(())

names = st.one_of(
    valid_names, valid_names, st.sampled_from(["", "a\n", "-a", "9a", "a b", "é", "a" * 256])
)
timestamps = st.one_of(
    st.integers(0, LATEST),
    st.integers(-2, 10**22),
    st.sampled_from([0, -1, LATEST, LATEST + 1]),
)
values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats())
tags = st.one_of(
    st.dictionaries(tag_names, tag_values, max_size=3),
    st.dictionaries(tag_names, tag_values, max_size=3),
    st.dictionaries(names, st.one_of(tag_values, st.sampled_from(["", "\x7f", "x" * 1025]))),
    st.just({f"t{i}": "v" for i in range(41)}),
)
items = st.tuples(names, timestamps, values)
valid_items = st.tuples(
    valid_names, st.integers(0, LATEST), st.floats(allow_nan=False, allow_infinity=False)
)


def faults(name: str, timestamp: int, value: float) -> Iterator[str]:
    for fault in (metric_name_fault(name), timestamp_fault(timestamp, LATEST), value_fault(value)):
        if fault is not None:
            yield fault


@quick
@given(st.lists(st.one_of(valid_items, items), max_size=4))
def test_a_batch_is_refused_if_and_only_if_a_point_has_a_fault(
    points: list[tuple[str, int, float]],
) -> None:
    batch = batch_of(
        [name for name, _, _ in points],
        [timestamp for _, timestamp, _ in points],
        [value for _, _, value in points],
        [NO_TAGS] * len(points),
        latest=LATEST,
    )
    assert (batch is None) == any(list(faults(*point)) for point in points)


@quick
@given(tags)
def test_a_tag_set_is_refused_if_and_only_if_a_tag_has_a_fault(tags: dict[str, str]) -> None:
    assert (tag_set(tags) is None) == bool(list(tag_faults(tags)))


@quick
@given(st.lists(valid_items, max_size=6))
def test_a_batch_keeps_every_point_in_order_bit_for_bit(
    points: list[tuple[str, int, float]],
) -> None:
    batch = batch_of(
        [name for name, _, _ in points],
        [timestamp for _, timestamp, _ in points],
        [value for _, _, value in points],
        [NO_TAGS] * len(points),
        latest=LATEST,
    )
    assert batch is not None
    assert len(batch) == len(points)
    kept = [(p.name, p.timestamp, struct.pack("d", p.value), p.tags) for p in batch.points()]
    assert kept == [
        (name, timestamp, struct.pack("d", value), {}) for name, timestamp, value in points
    ]


@quick
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=6))
def test_any_float_is_a_value_where_finite_ones_are_not_asked_for(bits: list[int]) -> None:
    values = [from_bits(each) for each in bits]
    columns = (["a"] * len(bits), [1] * len(bits), values, [NO_TAGS] * len(bits))
    batch = batch_of(*columns, latest=LATEST, finite=False)
    assert batch is not None
    assert [bits_of(point.value) for point in batch.points()] == bits
    assert batch == PointBatch(*columns)
    assert batch_fault(batch, finite=False) is None
    assert (batch_fault(batch, finite=True) is None) == all_finite(values)
    assert not batch.known_finite


def test_batches_are_equal_if_their_values_are_bit_for_bit() -> None:
    def batch(value: float) -> PointBatch:
        return PointBatch(["a"], [1], [value], [NO_TAGS])

    assert batch(math.nan) == batch(math.nan)
    assert batch(math.nan) != batch(STALE)
    assert batch(0.0) != batch(-0.0)


def test_two_points_of_one_series_at_one_time_are_both_kept() -> None:
    tagged = tag_set({"host": "svc12"})
    assert tagged is not None
    batch = batch_of(["a", "a"], [7, 7], [1.0, 1.0], [tagged, tagged], latest=LATEST)
    assert batch is not None
    assert list(batch.points()) == [MetricPoint("a", 7, 1.0, {"host": "svc12"})] * 2


def test_an_empty_batch_is_a_batch() -> None:
    batch = batch_of([], [], [], [], latest=0)
    assert batch is not None
    assert len(batch) == 0
    assert list(batch.points()) == []


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize(
    ("name", "timestamp", "value"),
    [
        ("-a", 1, 1.0),
        ("a", -1, 1.0),
        ("a", LATEST + 1, 1.0),
        ("a", 1, math.nan),
        ("a", 1, math.inf),
    ],
)
def test_one_bad_point_anywhere_refuses_the_whole_batch(
    place: int, name: str, timestamp: int, value: float
) -> None:
    columns: tuple[list[str], list[int], list[float]] = (["a"] * 3, [LATEST] * 3, [1.0] * 3)
    assert batch_of(*columns, [NO_TAGS] * 3, latest=LATEST) is not None
    columns[0][place], columns[1][place], columns[2][place] = name, timestamp, value
    assert batch_of(*columns, [NO_TAGS] * 3, latest=LATEST) is None


def test_the_future_limit_is_inclusive() -> None:
    assert batch_of(["a"], [5000], [1.0], [NO_TAGS], latest=5000) is not None
    assert batch_of(["a"], [5000], [1.0], [NO_TAGS], latest=4999) is None


def test_the_memo_of_names_remembers_valid_names_only() -> None:
    """Otherwise a client could fill a worker's memory with invalid names."""
    memos = (metric_point._check_metric_name.cache_info, metric_point._check_tag_name.cache_info)
    before = [memo().currsize for memo in memos]
    assert batch_of(["x" * 100_000], [1], [1.0], [NO_TAGS], latest=LATEST) is None
    assert tag_set({"y" * 100_000: "v"}) is None
    assert [memo().currsize for memo in memos] == before
    assert all(memo().maxsize is not None for memo in memos)
