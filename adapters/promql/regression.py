"""Functions of a range that fit a line to its samples by least squares."""

from __future__ import annotations

import numpy as np

from adapters.promql.summation import CompensatedSum
from adapters.promql.vectors import Floats, Integers
from adapters.promql.windows import Result, Windows


def deriv(windows: Windows) -> Result:
    """The per-second slope of the line through the samples of the range."""
    slope, _ = _line(windows, windows.times_at(windows.first))
    return slope, windows.count > 1


def predict_linear(windows: Windows, seconds: Floats) -> Result:
    """The value that the line through the samples has `seconds` after the step."""
    slope, intercept = _line(windows, np.broadcast_to(windows.steps, windows.first.shape))
    return slope * seconds + intercept, windows.count > 1


def _line(windows: Windows, origin: Integers) -> tuple[Floats, Floats]:
    """Return each line's slope per second, and its value at the origin (ms)."""
    shape = windows.first.shape
    sum_x, sum_y, sum_xy, sum_xx = (CompensatedSum(shape) for _ in range(4))
    initial = windows.at(windows.first)
    constant = np.ones(shape, np.bool_)
    for places, exists in windows.terms():
        x = np.where(exists, (windows.times_at(places) - origin) / 1000, 0.0)
        y = np.where(exists, windows.at(places), 0.0)
        constant &= ~exists | (y == initial)
        sum_x.add(x)
        sum_y.add(y)
        sum_xy.add(x * y)
        sum_xx.add(x * x)
    count = np.maximum(windows.count, 1)
    x, y, xy, xx = (one.sum + one.error for one in (sum_x, sum_y, sum_xy, sum_xx))
    slope = (xy - x * y / count) / (xx - x * x / count)
    intercept = y / count - slope * x / count
    infinite = np.isinf(initial)
    slope = np.where(constant, np.where(infinite, np.nan, 0.0), slope)
    return slope, np.where(constant, np.where(infinite, np.nan, initial), intercept)
