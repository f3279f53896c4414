"""Quantiles of samples."""

from __future__ import annotations

import numpy as np

from adapters.promql.vectors import Bools, Floats


def quantile(q: Floats, values: Floats, present: Bools) -> Floats:
    """Return the q-quantile of the present values along the first axis.

    `q` has the shape of the result. Between two values it is interpolated linearly. NaN counts as
    the smallest value; below 0 the result is -Inf, above 1 +Inf, without values or for NaN NaN.
    """
    count = present.sum(axis=0)
    known = present & ~np.isnan(values)
    unknown = count - known.sum(axis=0)
    ordered = np.sort(np.where(known, values, np.nan), axis=0)
    rank = np.where((q >= 0) & (q <= 1), q, 0) * (count - 1)
    low = np.maximum(0, np.floor(rank)).astype(np.int64)
    high = np.clip(low + 1, 0, np.maximum(count - 1, 0))
    weight = rank - np.floor(rank)

    def at(place: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Floats:
        index = np.maximum(place - unknown, 0)[np.newaxis]
        found: Floats = np.take_along_axis(ordered, index, axis=0)[0]
        return np.where(place < unknown, np.nan, found)

    result = at(low) * (1 - weight) + at(high) * weight
    result = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, result))
    return np.where((count == 0) | np.isnan(q), np.nan, result)
