"""Functions of classic histograms: series with cumulative counts, whose label `le` has the bound.

There are no native histograms here, so functions of those find none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

import numpy as np

from adapters.promql.calls import Call
from adapters.promql.labels import BUCKET, Labels, dropped, key
from adapters.promql.vectors import Bools, Floats, Integers, Vector
from application.reading.series import NAME

TOLERANCE = 1e-12
"""Relative differences between neighbouring counts up to this are rounding errors."""


def histogram_quantile(call: Call) -> Vector:
    """The q-quantile of each histogram, interpolated linearly within a bucket.

    In the highest bucket it is the highest finite bound. The lowest bucket begins at 0 if its bound
    is positive, else the quantile is its bound. Without a bucket `+Inf`, with fewer than two
    buckets, without observations or for NaN it is NaN; below 0 it is -Inf, above 1 +Inf.
    """
    q = call.scalar(0)
    call.notes.bad_quantiles(q, call.written[0])

    def compute(bounds: Floats, counts: Floats, steps: Integers) -> Floats:
        wanted = q[steps]
        if bounds[-1] != np.inf or len(bounds) < 2:
            found = np.full(len(steps), np.nan)
        else:
            corrected = _corrected(counts)
            rising = _monotonic(corrected)
            if (rising > corrected)[:, (wanted >= 0) & (wanted <= 1)].any():
                call.notes.forced_monotonicity(call.written[1])
            found = _quantile(wanted, bounds, rising)
        found = np.where(wanted < 0, -np.inf, np.where(wanted > 1, np.inf, found))
        return np.where(np.isnan(wanted), np.nan, found)

    return _per_histogram(call, 1, compute)


def histogram_fraction(call: Call) -> Vector:
    """The fraction of observations between two bounds, interpolated linearly within a bucket.

    NaN if there are no observations or no bucket `+Inf`, if a bound is NaN, or if it is within a
    bucket without a lower end; 0 if the lower bound is not below the upper one.
    """
    low, high = call.scalar(0), call.scalar(1)

    def compute(bounds: Floats, counts: Floats, steps: Integers) -> Floats:
        if bounds[-1] != np.inf:
            return np.full(len(steps), np.nan)
        total = counts[-1]
        below = [_rank(bound[steps], bounds, counts) for bound in (low, high)]
        fraction = np.where(high[steps] <= low[steps], 0.0, (below[1] - below[0]) / total)
        unknown = (total == 0) | np.isnan(low[steps]) | np.isnan(high[steps])
        return np.where(unknown, np.nan, fraction)

    return _per_histogram(call, 2, compute)


def of_native_histograms(call: Call) -> Vector:
    """Nothing: functions of native histograms ignore samples that are plain numbers."""
    return Vector.empty(len(call.steps))


def _per_histogram(
    call: Call, place: int, compute: Callable[[Floats, Floats, Integers], Floats]
) -> Vector:
    """Return a sample per histogram of the argument at this place, and per step.

    `compute` gets the bounds [B], ascending, the cumulative counts [B, n] and the steps [n] that
    have exactly these buckets.
    """
    vector = call.vector(place)
    for one in vector.labels:
        if _bound(one) is None:
            call.notes.bad_bucket(one.get(NAME, ""), one.get(BUCKET, ""), call.written[place])
    groups = _histograms(vector)
    values = np.zeros((len(groups), len(call.steps)))
    present = np.zeros(values.shape, np.bool_)
    for row, (bounds, rows) in enumerate(groups.values()):
        call.budget.check_time()
        order = np.argsort(bounds, kind="stable")
        ordered, places = bounds[order], rows[order]
        here = vector.present[places]
        for buckets, steps in _steps_by_buckets(here):
            used, counts = _coalesced(ordered[buckets], vector.values[places[buckets]][:, steps])
            values[row, steps] = compute(used, counts, steps)
            present[row, steps] = True
    labels = [dict(labels) for labels in groups]
    return Vector(labels, values, present).without_empty_rows()


def _histograms(
    vector: Vector,
) -> dict[tuple[tuple[str, str], ...], tuple[Floats, Integers]]:
    """Return the bounds and rows of each histogram, by its labels without name and bound.

    Series without a bound that is a number are ignored.
    """
    found: defaultdict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = defaultdict(list)
    without = {NAME, BUCKET}
    for row, labels in enumerate(vector.labels):
        bound = _bound(labels)
        if bound is not None:
            found[key(dropped(labels, without))].append((bound, row))
    return {
        labels: (
            np.array([bound for bound, _ in buckets]),
            np.array([row for _, row in buckets], np.int64),
        )
        for labels, buckets in found.items()
    }


def _bound(labels: Labels) -> float | None:
    try:
        bound = float(labels.get(BUCKET, ""))
    except ValueError:
        return None
    return None if np.isnan(bound) else bound


def _steps_by_buckets(present: Bools) -> Iterator[tuple[Integers, Integers]]:
    """Yield the buckets (rows) that have a sample, and the steps (columns) with just these."""
    if present.all():
        yield np.arange(present.shape[0]), np.arange(present.shape[1])
        return
    patterns, which = np.unique(present, axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        buckets = np.flatnonzero(patterns[:, number])
        if len(buckets):
            yield buckets, np.flatnonzero(which.reshape(-1) == number)


def _coalesced(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Add up the counts of buckets whose bounds are written differently but are equal."""
    unique, first = np.unique(bounds, return_index=True)
    if len(unique) == len(bounds):
        return bounds, counts
    return unique, np.add.reduceat(counts, first, axis=0)


def _corrected(counts: Floats) -> Floats:
    """Return the counts without differences that are but rounding errors."""
    difference = np.abs(np.diff(counts, axis=0))
    small = (difference > 0) & (difference <= TOLERANCE * np.abs(counts[1:]))
    if not small.any():
        return counts
    corrected = counts.copy()
    for bucket in range(1, len(corrected)):
        before, here = corrected[bucket - 1], corrected[bucket]
        close = np.abs(here - before) / here <= TOLERANCE
        corrected[bucket] = np.where(close, before, here)
    return corrected


def _monotonic(counts: Floats) -> Floats:
    """Return cumulative counts that never decrease."""
    return np.fmax.accumulate(counts, axis=0)


def _quantile(q: Floats, bounds: Floats, counts: Floats) -> Floats:
    observations = counts[-1]
    rank = q * observations
    last = len(bounds) - 1
    # The first bucket, but the last one, whose count reaches the rank.
    reaches = counts[:-1] >= rank
    bucket = np.where(reaches.any(axis=0), reaches.argmax(axis=0), last)
    inner = np.minimum(bucket, last - 1)
    columns = np.arange(counts.shape[1])
    below = np.where(inner > 0, counts[inner - 1, columns], 0.0)
    start = np.where(inner > 0, bounds[inner - 1], 0.0)
    inside = counts[inner, columns] - below
    found = start + (bounds[inner] - start) * ((rank - below) / inside)
    found = np.where((bucket == 0) & (bounds[0] <= 0), bounds[0], found)
    found = np.where(bucket == last, bounds[last - 1], found)
    return np.where(observations == 0, np.nan, found)


def _rank(bound: Floats, bounds: Floats, counts: Floats) -> Floats:
    """Return how many observations are below a bound; both have a value per step.

    The lowest bucket begins at 0 if its bound is positive, else at -Inf.
    """
    last = len(bounds) - 1
    bucket = np.minimum(np.searchsorted(bounds, bound, "left"), last)
    columns = np.arange(counts.shape[1])
    below = np.where(bucket > 0, counts[bucket - 1, columns], 0.0)
    inside = counts[bucket, columns] - below
    lowest = 0.0 if bounds[0] > 0 else -np.inf
    start = np.where(bucket > 0, bounds[bucket - 1], lowest)
    share = (bound - start) / (bounds[bucket] - start)
    share = np.where(bound <= start, 0.0, np.where(bound >= bounds[bucket], 1.0, share))
    return below + inside * share
