"""The aggregators that DuckDB has not got exactly: buckets of values to one value each.

Minus zero counts as zero: they are equal, and which of them came first is nobody's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from adapters.ducklake.exact import (
    UNIT,
    Floats,
    Integers,
    deviation,
    exact_sum,
    exact_sum_of_squares,
    ratio,
)

Aggregate = Callable[[Floats], float]
"""From the values of one bucket, at least one, in any order."""


def latest_buckets(
    buckets: Integers, values: Floats, limit: int, aggregate: Aggregate
) -> Iterator[tuple[int, float]]:
    """Yield each of the latest `limit` buckets with its aggregate, the latest first."""
    order = np.argsort(buckets, kind="stable")
    numbers, starts = np.unique(buckets[order], return_index=True)
    end = len(order)
    for number, start in zip(numbers[: -limit - 1 : -1], starts[: -limit - 1 : -1], strict=True):
        yield int(number), aggregate(values[order[start:end]]) + 0.0
        end = start


def _sum(values: Floats) -> float:
    return ratio(exact_sum(values), UNIT)


def _mean(values: Floats) -> float:
    return ratio(exact_sum(values), UNIT * len(values))


def _stddev(values: Floats) -> float:
    return deviation(len(values), exact_sum(values), exact_sum_of_squares(values))


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
    """Return the aggregate that is the smallest value with at least so many values up to it."""

    def percentile(values: Floats) -> float:
        rank = -(-len(values) * permille // 1000)
        return float(np.partition(values, rank - 1)[rank - 1])

    return percentile


AGGREGATES: dict[str, Aggregate] = {
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
