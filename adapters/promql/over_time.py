"""Functions that aggregate the samples of a range."""

from __future__ import annotations

import numpy as np

from adapters.promql.quantiles import quantile
from adapters.promql.summation import CompensatedSum
from adapters.promql.vectors import Bools, Floats, Integers
from adapters.promql.windows import Result, Windows


def sum_over_time(windows: Windows) -> Result:
    """The sum of all values in the range."""
    total = CompensatedSum(windows.first.shape)
    for places, exists in windows.terms():
        total.add(np.where(exists, windows.at(places), 0.0))
    return total.result(), windows.count > 0


def avg_over_time(windows: Windows) -> Result:
    """The average of all values in the range, also where their sum would overflow."""
    total = CompensatedSum(windows.first.shape)
    for places, exists in windows.terms():
        total.add(np.where(exists, windows.at(places), 0.0))
    average = total.average(np.maximum(windows.count, 1))
    if not np.isfinite(total.sum).all():
        average = np.where(np.isfinite(total.sum), average, _average_of_shares(windows))
    return average, windows.count > 0


def count_over_time(windows: Windows) -> Result:
    """The number of samples in the range."""
    return windows.count.astype(np.float64), windows.count > 0


def first_over_time(windows: Windows) -> Result:
    """The oldest value in the range."""
    return windows.at(windows.first), windows.count > 0


def last_over_time(windows: Windows) -> Result:
    """The newest value in the range."""
    return windows.at(windows.end - 1), windows.count > 0


def ts_of_first_over_time(windows: Windows) -> Result:
    """The time of the oldest sample in the range, in seconds."""
    return windows.times_at(windows.first) / 1000, windows.count > 0


def ts_of_last_over_time(windows: Windows) -> Result:
    """The time of the newest sample in the range, in seconds."""
    return windows.times_at(windows.end - 1) / 1000, windows.count > 0


def ts_of_min_over_time(windows: Windows) -> Result:
    """The time of the last smallest value in the range, in seconds."""
    return _time_of_extreme(windows, np.less_equal)


def ts_of_max_over_time(windows: Windows) -> Result:
    """The time of the last largest value in the range, in seconds."""
    return _time_of_extreme(windows, np.greater_equal)


def present_over_time(windows: Windows) -> Result:
    """The value 1 for any series that has a sample in the range."""
    return np.ones(windows.first.shape), windows.count > 0


def min_over_time(windows: Windows) -> Result:
    """The smallest value in the range; NaN only if there is no other value."""
    return _extreme(windows, np.fmin)


def max_over_time(windows: Windows) -> Result:
    """The largest value in the range; NaN only if there is no other value."""
    return _extreme(windows, np.fmax)


def stdvar_over_time(windows: Windows) -> Result:
    """The population variance of the values in the range, by Welford's method."""
    shape = windows.first.shape
    mean, squares = CompensatedSum(shape), CompensatedSum(shape)
    for term, (places, exists) in enumerate(windows.terms(), 1):
        value = windows.at(places)
        delta = value - (mean.sum + mean.error)
        mean.add(np.where(exists, delta / term, 0.0))
        squares.add(np.where(exists, delta * (value - (mean.sum + mean.error)), 0.0))
    return (squares.sum + squares.error) / np.maximum(windows.count, 1), windows.count > 0


def stddev_over_time(windows: Windows) -> Result:
    """The population standard deviation of the values in the range."""
    variance, present = stdvar_over_time(windows)
    return np.sqrt(variance), present


def quantile_over_time(windows: Windows, q: Floats) -> Result:
    """The q-quantile of the values in the range; `q` has a value per step."""
    values, present = _stacked(windows)
    return quantile(np.broadcast_to(q, windows.first.shape), values, present), windows.count > 0


def mad_over_time(windows: Windows) -> Result:
    """The median absolute deviation of the values in the range from their median."""
    values, present = _stacked(windows)
    half = np.full(windows.first.shape, 0.5)
    deviations = np.abs(values - quantile(half, values, present))
    return quantile(half, deviations, present), windows.count > 0


def _average_of_shares(windows: Windows) -> Floats:
    """Return the averages as sums of each value divided by the count, which cannot overflow."""
    total = CompensatedSum(windows.first.shape)
    count = np.maximum(windows.count, 1)
    for places, exists in windows.terms():
        total.add(np.where(exists, windows.at(places) / count, 0.0))
    return total.result()


def _extreme(windows: Windows, better: np.ufunc) -> Result:
    """Return the extreme of each window, from those of two spans that cover it.

    Level k has the extremes of the 2^k samples from each place on. Spans may overlap, as an
    extreme does not change if a value counts twice.
    """
    count = windows.count
    level, length = windows.values, 1
    longest = int(count.max(initial=0))
    found = np.empty(windows.first.shape)
    while length <= longest:
        here = (count >= length) & (count < 2 * length)
        found[here] = better(level[windows.first[here]], level[windows.end[here] - length])
        if 2 * length <= longest:
            level = better(level[:-length], level[length:])
        length *= 2
    return found, count > 0


def _time_of_extreme(windows: Windows, better: np.ufunc) -> Result:
    found, time = windows.at(windows.first), windows.times_at(windows.first)
    for places, exists in windows.terms():
        value = windows.at(places)
        chosen = exists & (better(value, found) | np.isnan(found))
        found = np.where(chosen, value, found)
        time = np.where(chosen, windows.times_at(places), time)
    return time / 1000, windows.count > 0


def _stacked(windows: Windows) -> tuple[Floats, Bools]:
    """Return the windows' values along a new first axis, and which of them exist."""
    values: list[Floats] = []
    present: list[Bools] = []
    places: Integers
    for places, exists in windows.terms():
        values.append(windows.at(places))
        present.append(exists)
    if not values:
        shape = (1, *windows.first.shape)
        return np.zeros(shape), np.zeros(shape, np.bool_)
    return np.stack(values), np.stack(present)
