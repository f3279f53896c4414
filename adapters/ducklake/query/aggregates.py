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

SMALL = 32
"""Values per bucket, on average, below which all buckets are sorted together."""


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


def _median(values: Floats, starts: Integers) -> Sequence[float]:
    number = counts(starts, len(values))
    low, high = _ranked(values, starts, (number - 1) // 2, number // 2)
    # Halve first where the sum could overflow, last where halving could be inexact.
    halved = low / 2 + high / 2
    small = np.abs(low) <= 1
    halved[small] = (low[small] + high[small]) / 2
    return halved.tolist()  # type: ignore[no-any-return]


def _mode(values: Floats, starts: Integers) -> Sequence[float]:
    values = _sorted(values, starts)
    begins = np.ones(len(values), bool)
    begins[1:] = values[1:] != values[:-1]
    begins[starts] = True
    (runs,) = begins.nonzero()
    lengths = counts(runs, len(values))
    first_runs = np.searchsorted(runs, starts)
    longest = np.repeat(np.maximum.reduceat(lengths, first_runs), counts(first_runs, len(runs)))
    (candidates,) = (lengths == longest).nonzero()
    # The first of the longest runs has the smallest value.
    return values[runs[candidates[np.searchsorted(candidates, first_runs)]]].tolist()  # type: ignore[no-any-return]


def _nearest_rank(permille: int) -> Aggregate:
    """Return the aggregate: the smallest value with at least `permille` of the bucket up to it."""

    def percentile(values: Floats, starts: Integers) -> Sequence[float]:
        ranks = -(-counts(starts, len(values)) * permille // 1000) - 1
        (found,) = _ranked(values, starts, ranks)
        return found.tolist()  # type: ignore[no-any-return]

    return percentile


def _ranked(values: Floats, starts: Integers, *ranks: Integers) -> Sequence[Floats]:
    """Return each bucket's values at ranks, each of which has a number from 0 per bucket."""
    if _are_small(values, starts):
        ordered = _sorted(values, starts)
        return [ordered[starts + rank] for rank in ranks]
    found = [
        np.partition(bucket, wanted)[wanted]
        for bucket, *wanted in zip(
            np.split(values, starts[1:]), *(r.tolist() for r in ranks), strict=True
        )
    ]
    return list(np.array(found).T)


def _sorted(values: Floats, starts: Integers) -> Floats:
    """Return the values with each bucket sorted."""
    if _are_small(values, starts):
        buckets = np.repeat(np.arange(len(starts)), counts(starts, len(values)))
        return values[np.lexsort((values, buckets))]
    return np.concatenate([np.sort(bucket) for bucket in np.split(values, starts[1:])])


def _are_small(values: Floats, starts: Integers) -> bool:
    """Return whether sorting all buckets in one call takes less time than a call per bucket."""
    return len(values) < SMALL * len(starts)


AGGREGATES: dict[str, Aggregate] = {
    "count": _count,
    "min": _min,
    "max": _max,
    "mean": _mean,
    "median": _median,
    "mode": _mode,
    "sum": _sum,
    "stddev": _stddev,
    "p90": _nearest_rank(900),
    "p95": _nearest_rank(950),
    "p99": _nearest_rank(990),
    "p999": _nearest_rank(999),
}
