"""The aggregators, computed exactly: from values by bucket to one value per bucket.

Minus zero counts as zero. The two are equal, so an answer must not depend on which came first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from adapters.ducklake.query.exact import (
    Floats,
    Integers,
    counts,
    deviations,
    exact_sums,
    exact_sums_of_squares,
    ratio,
)

Aggregate = Callable[[Floats, Integers], Sequence[float]]
"""Takes values and the start index of each bucket, none empty; returns one value per bucket."""


def latest_buckets(
    buckets: Integers, values: Floats, limit: int, aggregate: Aggregate
) -> list[tuple[int, float]]:
    """Return the latest `limit` buckets with their aggregates, the latest first.

    `buckets` has the bucket number of each value, in any order.
    """
    if not len(buckets):
        return []
    if np.any(buckets[1:] < buckets[:-1]):
        order = np.argsort(buckets, kind="stable")
        buckets, values = buckets[order], values[order]
    (changes,) = (buckets[1:] != buckets[:-1]).nonzero()
    starts = np.concatenate(([0], changes + 1))[-limit:]
    first = starts[0]
    found = aggregate(values[first:], starts - first)
    return [
        (bucket, value + 0.0) for bucket, value in zip(buckets[starts].tolist(), found, strict=True)
    ][::-1]


def _each(aggregate: Callable[[Floats], float]) -> Aggregate:
    """Return a function that computes an aggregate bucket by bucket."""

    def of_each(values: Floats, starts: Integers) -> Sequence[float]:
        return [aggregate(bucket) for bucket in np.split(values, starts[1:])]

    return of_each


def _counts(values: Floats, starts: Integers) -> list[int]:
    return counts(starts, len(values)).tolist()  # type: ignore[no-any-return]


def _count(values: Floats, starts: Integers) -> Sequence[float]:
    return [float(count) for count in _counts(values, starts)]


def _min(values: Floats, starts: Integers) -> Sequence[float]:
    return np.minimum.reduceat(values, starts).tolist()  # type: ignore[no-any-return]


def _max(values: Floats, starts: Integers) -> Sequence[float]:
    return np.maximum.reduceat(values, starts).tolist()  # type: ignore[no-any-return]


def _sum(values: Floats, starts: Integers) -> Sequence[float]:
    sums = exact_sums(values, starts)
    return [ratio(total, 1, sums.exponent) for total in sums.totals]


def _mean(values: Floats, starts: Integers) -> Sequence[float]:
    sums = exact_sums(values, starts)
    return [
        ratio(total, count, sums.exponent)
        for total, count in zip(sums.totals, _counts(values, starts), strict=True)
    ]


def _stddev(values: Floats, starts: Integers) -> Sequence[float]:
    sums = exact_sums(values, starts), exact_sums_of_squares(values, starts)
    return deviations(_counts(values, starts), *sums)


def _median(values: Floats) -> float:
    count = len(values)
    middle = (count - 1) // 2, count // 2
    low, high = map(float, np.partition(values, middle)[list(middle)])
    # Halve first where the sum could overflow, last where halving could be inexact.
    return low / 2 + high / 2 if abs(low) > 1 else (low + high) / 2


def _mode(values: Floats) -> float:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[np.argmax(counts)])


def _nearest_rank(permille: int) -> Aggregate:
    """Return the aggregate: the smallest value with at least `permille` of the bucket up to it."""

    def percentile(values: Floats) -> float:
        rank = -(-len(values) * permille // 1000)
        return float(np.partition(values, rank - 1)[rank - 1])

    return _each(percentile)


AGGREGATES: dict[str, Aggregate] = {
    "count": _count,
    "min": _min,
    "max": _max,
    "mean": _mean,
    "median": _each(_median),
    "mode": _each(_mode),
    "sum": _sum,
    "stddev": _stddev,
    "p90": _nearest_rank(900),
    "p95": _nearest_rank(950),
    "p99": _nearest_rank(990),
    "p999": _nearest_rank(999),
}
