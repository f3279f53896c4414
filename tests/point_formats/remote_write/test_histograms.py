"""Native histograms become the series of classic ones."""

from __future__ import annotations

import math
import struct
from bisect import bisect_left
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.buckets import MAX_BUCKETS
from application.publishing.refusals import Reason
from tests.point_formats.remote_write.requests import STALE, TIME, histogram, named
from tests.point_formats.remote_write.test_rules import both, refusals, rows

Buckets = dict[str, float]


def converted(**fields: Any) -> tuple[Buckets, float, float]:
    """Return the buckets by bound, the count and the sum that a histogram becomes."""
    first, second = both(named("rpc", job="a"), histograms=[histogram(**fields)])
    assert repr(rows(first)) == repr(rows(second))
    assert first.refused is second.refused is None
    assert first.sent == second.sent == {"samples": 0, "histograms": 1}
    found = rows(first)
    assert all(time == TIME for _, time, _, _ in found)
    assert all(tags["job"] == "a" for *_, tags in found)
    buckets = {tags["le"]: value for name, _, value, tags in found if name == "rpc_bucket"}
    names = [name for name, *_ in found]
    assert names == ["rpc_bucket"] * len(buckets) + ["rpc_count", "rpc_sum"]
    return buckets, found[-2][2], found[-1][2]


@given(
    st.lists(st.floats(-1e6, 1e6).filter(lambda value: abs(value) > 1e-6), max_size=20),
    st.integers(0, 3),
    st.integers(-4, 4),
)
def test_each_bucket_counts_the_observations_up_to_its_bound(
    observed: list[float], zeros: int, schema: int
) -> None:
    base = 2.0 ** (2.0**-schema)

    def index(value: float) -> int:
        """Return the least i with value <= base ** i ("Schema")."""
        guess = math.ceil(math.log(value, base))
        return next(i for i in range(guess - 2, guess + 3) if value <= base**i)

    positive = Counter(index(value) for value in observed if value > 0)
    negative = Counter(index(-value) for value in observed if value < 0)
    buckets, count, total = converted(
        schema=schema,
        count=len(observed) + zeros,
        total=1.25,
        positive=dict(sorted(positive.items())),
        negative=dict(sorted(negative.items())),
        zero=(1e-9, zeros),
    )
    assert (count, total) == (len(observed) + zeros, 1.25)
    assert buckets.pop("+Inf") == count
    everything = sorted([*observed, *[0.0] * zeros])
    for bound, below in buckets.items():
        upper = float(bound)
        # A bound that is negative is not part of its bucket, but of the next one.
        margin = abs(upper) * 1e-9
        least = bisect_left(everything, upper - margin)
        most = bisect_left(everything, upper + margin)
        assert least <= below <= most


def test_floats_and_integers_become_the_same() -> None:
    fields: dict[str, Any] = {"count": 6, "positive": {0: 1, 1: 2, 5: 3}, "zero": (0.5, 0)}
    assert converted(**fields) == converted(**fields, floats=True)
    assert converted(**fields)[0] == {"1": 1, "2": 3, "32": 6, "+Inf": 6}


def test_custom_buckets_have_the_bounds_that_are_given() -> None:
    sent = {0: 1, 2: 2, 3: 4}
    buckets, count, _ = converted(schema=-53, count=7, positive=sent, custom=[-1.0, 0.5, 10.0])
    assert buckets == {"-1": 1, "10": 3, "+Inf": 7}
    assert count == 7


def test_a_stale_histogram_ends_its_series() -> None:
    for decoded in both(named("rpc"), histograms=[histogram(total=STALE)]):
        found = rows(decoded)
        assert [(name, tags) for name, _, _, tags in found] == [
            ("rpc_bucket", {"le": "+Inf"}),
            ("rpc_count", {}),
            ("rpc_sum", {}),
        ]
        assert {struct.pack("<d", value) for _, _, value, _ in found} == {STALE}


def test_a_sum_that_is_another_nan_is_a_value() -> None:
    buckets, count, total = converted(count=2, positive={0: 1}, total=math.nan)
    assert (buckets, count) == ({"1": 1, "+Inf": 2}, 2)
    assert math.isnan(total)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schema": -10}, Reason.UNSUPPORTED),
        ({"schema": 53}, Reason.UNSUPPORTED),
        ({"count": 1, "positive": {0: 2}}, Reason.VALUE),
        ({"count": 1, "positive": {0: -1, 1: 1}}, Reason.VALUE),
        ({"count": 1.0, "positive": {0: -1.0}, "floats": True}, Reason.VALUE),
        ({"count": 1.0, "positive": {0: math.nan}, "floats": True}, Reason.VALUE),
        ({"count": 1.0, "zero": (0.0, -1.0), "floats": True}, Reason.VALUE),
        ({"zero": (math.nan, 0)}, Reason.VALUE),
        ({"count": 9, "positive": {1: 1, 4: 1}, "zero": (5.0, 1)}, Reason.VALUE),
        ({"schema": -53, "count": 1, "positive": {2: 1}, "custom": [1.0]}, Reason.VALUE),
        ({"schema": -53, "count": 2, "positive": {-1: 1}, "custom": [1.0]}, Reason.VALUE),
        ({"schema": -53, "count": 1, "positive": {0: 1}, "custom": [math.nan]}, Reason.VALUE),
        (
            {"schema": -53, "count": 2, "positive": {0: 1, 1: 1}, "custom": [2.0, 1.0]},
            Reason.VALUE,
        ),
        ({"schema": -53, "custom": [1.0] * (MAX_BUCKETS + 1)}, Reason.UNSUPPORTED),
        (
            {"count": 1, "positive": dict.fromkeys(range(MAX_BUCKETS + 1), 0)},
            Reason.UNSUPPORTED,
        ),
        (
            {
                "count": 1,
                "positive": dict.fromkeys(range(MAX_BUCKETS), 0),
                "negative": {0: 0},
            },
            Reason.UNSUPPORTED,
        ),
        ({"time": -1}, Reason.TIME),
    ],
)
def test_an_invalid_histogram_is_refused_as_a_whole(fields: dict[str, Any], reason: Reason) -> None:
    good = histogram(count=1, positive={0: 1})
    for decoded in both(named("rpc"), histograms=[histogram(**fields), good]):
        assert refusals(decoded) == [("series 1", reason, 1)]
        assert decoded.sent == {"samples": 0, "histograms": 1}
        assert len(decoded.points) == 4


def test_spans_must_be_of_as_many_buckets_as_there_are() -> None:
    endless = b"\x5a\x06\x10" + b"\xff\xff\xff\xff\x0f"  # a span of 2 ** 32 - 1 buckets
    for decoded in both(named("rpc"), histograms=[histogram(count=1) + endless]):
        assert refusals(decoded) == [("series 1", Reason.VALUE, 1)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (named("rpc", le="1"), Reason.TAG),
        (named("rpc", **{f"l{n}": "x" for n in range(40)}), Reason.TOO_MANY_TAGS),
        (named("x" * 250), Reason.NAME),
    ],
)
def test_labels_without_room_for_a_bucket_refuse_the_histogram(labels: Any, reason: Reason) -> None:
    for decoded in both(labels, histograms=[histogram()]):
        assert refusals(decoded) == [("series 1", reason, 1)]
