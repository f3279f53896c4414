"""Compensated sums: the rounding error of each addition is kept and added in the end.

Prometheus sums by the method of Kahan and Neumaier. The error of one addition is exact, so
computing it without branches (Knuth) gives the same bits.
"""

from __future__ import annotations

import numpy as np

from adapters.promql.vectors import Floats


class CompensatedSum:
    """Sums arrays of one shape, element by element."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.sum = np.zeros(shape)
        self.error = np.zeros(shape)

    def add(self, terms: Floats, rows: int | None = None) -> None:
        """Add terms to all elements, or to the first `rows` rows."""
        total, error = self.sum[:rows], self.error[:rows]
        new = total + terms
        back = new - total
        error += (total - (new - back)) + (terms - back)
        total[...] = new

    def result(self) -> Floats:
        """Return the sums; where one is infinite, its error means nothing."""
        return np.where(np.isinf(self.sum), self.sum, self.sum + self.error)
