"""Compensated sums: the rounding error of each addition is kept and added in the end.

Prometheus sums by the method of Kahan and Neumaier. The error of one addition is exact, so
computing it without branches (Knuth) gives the same bits.
"""

from __future__ import annotations

import numpy as np

from adapters.promql.vectors import Floats, Integers


class CompensatedSum:
    """Sums arrays of one shape, element by element."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.sum = np.zeros(shape)
        self.error = np.zeros(shape)

    def add(self, terms: Floats) -> None:
        new = self.sum + terms
        self.error += _rounding_error(self.sum, terms, new)
        self.sum = new

    def result(self) -> Floats:
        """Return the sums; where one is infinite, its error means nothing."""
        return np.where(np.isinf(self.sum), self.sum, self.sum + self.error)

    def average(self, count: Integers) -> Floats:
        """Return the sums divided by counts, which must be at least 1."""
        exact = self.sum / count + self.error / count
        return np.where(np.isinf(self.sum), self.sum, exact)


def grouped_sum(terms: Floats, starts: Integers) -> CompensatedSum:
    """Sum groups of neighbouring rows; group i has the rows from `starts[i]` on.

    Neighbours are added until each group has one row left, so all groups need few steps.
    """
    sizes = np.diff(starts, append=len(terms))
    sums, errors = terms, np.zeros_like(terms)
    while sizes.max(initial=0) > 1:
        starts = np.cumsum(sizes) - sizes
        place = np.arange(len(sums)) - np.repeat(starts, sizes)
        even = place % 2 == 0
        left = np.flatnonzero(even & (place + 1 < np.repeat(sizes, sizes)))
        one, other = sums[left], sums[left + 1]
        new = one + other
        error = errors[left] + errors[left + 1] + _rounding_error(one, other, new)
        kept = np.flatnonzero(even)
        target = np.searchsorted(kept, left)
        sums, errors = sums[kept], errors[kept]
        sums[target], errors[target] = new, error
        sizes = (sizes + 1) // 2
    total = CompensatedSum(sums.shape)
    total.sum, total.error = sums, errors
    return total


def _rounding_error(one: Floats, other: Floats, rounded: Floats) -> Floats:
    """Return what `one + other` is more than `rounded`, exactly."""
    back = rounded - one
    error: Floats = (one - (rounded - back)) + (other - back)
    return error
