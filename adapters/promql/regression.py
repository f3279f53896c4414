"""Functions of a range that fit a line to its samples, or smooth them."""

from __future__ import annotations

import numpy as np

from adapters.promql.summation import CompensatedSum
from adapters.promql.vectors import Floats, Integers
from adapters.promql.windows import Result, Windows
from application.reading.promql_errors import ExecutionFailed


def deriv(windows: Windows) -> Result:
    """The per-second slope of the line through the samples of the range."""
    slope, _ = _line(windows, windows.times_at(windows.first))
    return slope, windows.count > 1


def predict_linear(windows: Windows, seconds: Floats) -> Result:
    """The value that the line through the samples has `seconds` after the step."""
    slope, intercept = _line(windows, np.broadcast_to(windows.steps, windows.first.shape))
    return slope * seconds + intercept, windows.count > 1


def double_exponential_smoothing(windows: Windows, level: Floats, trend: Floats) -> Result:
    """The value that a level and a trend have at the last sample; the samples move them.

    `level` is the smoothing factor, `trend` that of the trend; both have a value per step.
    """
    count = windows.count
    value = windows.at(windows.first)
    before = np.zeros_like(value)
    slope = windows.at(windows.first + 1) - value
    for term, (places, exists) in enumerate(windows.terms()):
        if term == 0:
            continue
        if term > 1:
            slope = np.where(exists, trend * (value - before) + (1 - trend) * slope, slope)
        new = level * windows.at(places) + (1 - level) * (value + slope)
        before = np.where(exists, value, before)
        value = np.where(exists, new, value)
    return value, count > 1


def check_factors(level: Floats, trend: Floats) -> None:
    """Raise ExecutionFailed if a factor is not between 0 and 1."""
    for factors, name, symbol in ((level, "smoothing", "sf"), (trend, "trend", "tf")):
        for factor in factors[(factors <= 0) | (factors >= 1)]:
            raise ExecutionFailed(
                f"invalid {name} factor. Expected: 0 < {symbol} < 1, got: {factor:f}"
            )


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
