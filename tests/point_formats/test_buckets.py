"""Exponential histograms as buckets with bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.buckets import cumulative_buckets

counts = st.lists(st.integers(0, 5), max_size=5)


@given(st.integers(-3, 8), st.integers(0, 3), counts, counts, st.integers(-9, 9))
def test_counts_are_cumulative_and_a_side_without_observations_has_no_buckets(
    scale: int, zero_count: int, positive: list[int], negative: list[int], first: int
) -> None:
    above = [*enumerate(map(float, positive), first)]
    below = [*enumerate(map(float, negative), first)]
    buckets = [*cumulative_buckets(scale, 0.0, zero_count, above, below)]
    totals = [total for _, total in buckets]
    assert totals == sorted(totals)
    assert not totals or totals[-1] == sum(positive) + sum(negative) + zero_count
    assert bool(buckets) == bool(sum(positive) + sum(negative) + zero_count)
    assert any(bound > 0 for bound, _ in buckets) == any(positive)
    assert any(bound < 0 for bound, _ in buckets) == any(negative)
