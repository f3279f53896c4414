"""The aggregators, exactly: from values by bucket to one value a bucket.

Minus zero counts as zero: they are equal, and which of them came first is nobody's business.
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
"""From values and where each bucket's begin among them, none empty, to a value a bucket."""


def latest_buckets(
    buckets: Integers, values: Floats, limit: int, aggregate: Aggregate
) -> list[tuple[int, float]]:
    """Return each of the latest `limit` buckets with its aggregate, the latest first.

    `buckets` has the number of each value's bucket, in any order.
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
    """Return what computes an aggregate bucket by bucket."""

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
    # The halves where the sum is beyond a float; the sum where the halves may not be exact.
    return low / 2 + high / 2 if abs(low) > 1 else (low + high) / 2


def _mode(values: Floats) -> float:
    distinct, counts = np.unique(values, return_counts=True)
    return float(distinct[np.argmax(counts)])


def _nearest_rank(permille: int) -> Aggregate:
    """Return the aggregate that is a bucket's smallest value with at least so many up to it."""

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
