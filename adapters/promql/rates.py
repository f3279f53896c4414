"""Functions of a range that compare its samples: rates, differences, changes and resets."""

from __future__ import annotations

import numpy as np

from adapters.promql.vectors import Bools, Floats, Integers
from adapters.promql.windows import Result, Windows


def rate(windows: Windows) -> Result:
    """The per-second average increase of a counter.

    Resets are added up, and the increase is extrapolated to the ends of the range.
    """
    return _extrapolated(windows, counter=True, seconds=windows.width / 1000)


def increase(windows: Windows) -> Result:
    """The increase of a counter over the range: its rate times the range's seconds."""
    return _extrapolated(windows, counter=True)


def delta(windows: Windows) -> Result:
    """The difference between a gauge's last and first sample, extrapolated to the whole range."""
    return _extrapolated(windows, counter=False)


def irate(windows: Windows) -> Result:
    """The per-second increase between the last two samples; after a reset, from zero."""
    last, before = windows.at(windows.end - 1), windows.at(windows.end - 2)
    change = np.where(last < before, last, last - before)
    return change / _last_interval(windows), windows.count > 1


def idelta(windows: Windows) -> Result:
    """The difference between the last two samples."""
    last, before = windows.at(windows.end - 1), windows.at(windows.end - 2)
    return last - before, windows.count > 1


def changes(windows: Windows) -> Result:
    """How often the value changed within the range; from NaN to NaN is no change."""
    values = windows.values
    differs = values[1:] != values[:-1]
    differs &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    return _occurrences(windows, differs), windows.count > 0


def resets(windows: Windows) -> Result:
    """How often the value fell within the range: a counter's restarts."""
    return _occurrences(windows, windows.values[1:] < windows.values[:-1]), windows.count > 0


def _last_interval(windows: Windows) -> Floats:
    """Return the seconds between the last two samples, 1 if there are fewer."""
    last, before = windows.times_at(windows.end - 1), windows.times_at(windows.end - 2)
    return np.where(windows.count > 1, last - before, 1000) / 1000


def _occurrences(windows: Windows, events: Bools) -> Floats:
    """Count the events of each window; event i is between the samples i and i + 1."""
    before = np.zeros(len(windows.values) + 1, np.int64)
    np.cumsum(events, out=before[2:] if len(events) else before[:0])
    first = np.minimum(windows.first + 1, windows.end)
    return np.asarray(before[windows.end] - before[first], np.float64)


def _extrapolated(windows: Windows, *, counter: bool, seconds: float = 1.0) -> Result:
    """Return the increase within each window, extrapolated to the ends of its range, per `seconds`.

    It is extrapolated up to an end if the distance from there to the nearest sample is less than
    1.1 times the average interval of samples, else by half an interval. A counter is not
    extrapolated below zero.
    """
    count = windows.count
    present = count > 1
    first, last = windows.at(windows.first), windows.at(windows.end - 1)
    increased = last - first
    if counter:
        _add_lost_by_resets(increased, windows, count)
    first_time, last_time = windows.times_at(windows.first), windows.times_at(windows.end - 1)
    to_start = (first_time - (windows.ends - windows.width)) / 1000
    to_end = (windows.ends - last_time) / 1000
    sampled = np.where(present, last_time - first_time, 1) / 1000
    interval = sampled / np.maximum(count - 1, 1)
    threshold = interval * 1.1
    to_start = np.where(to_start >= threshold, interval / 2, to_start)
    if counter:
        rising = (increased > 0) & (first >= 0)
        to_zero = sampled * (first / np.where(rising, increased, 1))
        to_start = np.where(rising & (to_zero < to_start), to_zero, to_start)
    to_end = np.where(to_end >= threshold, interval / 2, to_end)
    factor = (sampled + to_start + to_end) / sampled / seconds
    return increased * factor, present


def _add_lost_by_resets(increased: Floats, windows: Windows, count: Integers) -> None:
    """Add the value before each reset of a window to its increase, one after the other."""
    values = windows.values
    resets = np.flatnonzero(values[1:] < values[:-1])
    if not len(resets):
        return
    # A reset at i, between the samples i and i + 1, is in windows with first <= i and i + 1 < end.
    begin = np.searchsorted(resets, windows.first)
    after = np.searchsorted(resets, windows.end - 1)
    number = np.where(count > 1, after - begin, 0)
    for term in range(int(number.max(initial=0))):
        here = number > term
        increased[here] += values[resets[begin[here] + term]]
