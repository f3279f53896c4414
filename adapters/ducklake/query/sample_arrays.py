"""The samples of a metric's series, put together from the columns of several files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from adapters.ducklake.query.exact import Floats, Integers
from adapters.ducklake.query.series_columns import SeriesColumns

LONG = 32
"""Samples per series and file from which on they are copied piece by piece."""

Places = npt.NDArray[np.int64]


class Part(Struct, frozen=True):
    """Rows of one file: `begin[i]` to `end[i]` are those of the tag set `sets[i]`, which is the
    series at `places[i]` in the result. There are `count` rows."""

    columns: SeriesColumns
    sets: Places
    places: Places
    begin: Integers
    end: Integers
    count: int

    @classmethod
    def of(
        cls, columns: SeriesColumns, sets: Places, places: Places, begin: Integers, end: Integers
    ) -> Part:
        return cls(columns, sets, places, begin, end, int((end - begin).sum()))


class SampleArrays(Struct, frozen=True):
    """Series one after the other, each by time: series i ends before `ends[i]`."""

    times: Integers
    values: Floats
    ends: Integers


def joined(parts: Sequence[Part], series: int) -> SampleArrays:
    """Put parts together, which are in the order of the log.

    Of samples of one series at one time there is the last one.
    """
    if sum(part.count for part in parts) >= LONG * sum(len(part.sets) for part in parts):
        by_time = sorted(parts, key=lambda part: part.columns.first)
        found = _copied(by_time, series)
        if _ascending(found):
            return found
    return _sorted(parts, series)


def _copied(parts: Sequence[Part], series: int) -> SampleArrays:
    """Copy the parts of each series one after the other."""
    counts = np.zeros(series, np.int64)
    for part in parts:
        counts[part.places] += part.end - part.begin
    ends = np.cumsum(counts)
    times, values = np.empty(int(ends[-1]), np.int64), np.empty(int(ends[-1]))
    free = (ends - counts).tolist()
    for part in parts:
        columns = part.columns
        rows = (part.sets, part.places, part.begin, part.end)
        for one, place, begin, end in zip(*(row.tolist() for row in rows), strict=True):
            start = free[place]
            free[place] = stop = start + end - begin
            values[start:stop] = columns.values[begin:end]
            columns.write_times(one, begin, end, times[start:stop])
    return SampleArrays(times, values, ends)


def _ascending(found: SampleArrays) -> bool:
    later = found.times[1:] > found.times[:-1]
    # Between two series, times may fall.
    later[found.ends[:-1][found.ends[:-1] < len(found.times)] - 1] = True
    return bool(later.all())


def _sorted(parts: Sequence[Part], series: int) -> SampleArrays:
    """Sort all samples by series and time; at one time they stay in the order of the log."""
    if not parts:
        empty = np.empty(0, np.int64)
        return SampleArrays(empty, np.empty(0), np.zeros(series, np.int64))
    places, times, values = [], [], []
    for part in parts:
        counts = part.end - part.begin
        rows = _ranges(part.begin, counts)
        values.append(part.columns.values[rows])
        times.append(part.columns.all_times(np.repeat(part.sets, counts), rows))
        places.append(np.repeat(part.places, counts))
    of_row, time, value = np.concatenate(places), np.concatenate(times), np.concatenate(values)
    order = np.lexsort((time, of_row))
    of_row, time, value = of_row[order], time[order], value[order]
    last = np.ones(len(time), bool)
    last[:-1] = (of_row[1:] != of_row[:-1]) | (time[1:] != time[:-1])
    ends = np.cumsum(np.bincount(of_row[last], minlength=series))
    return SampleArrays(time[last], value[last], ends)


def _ranges(begin: Integers, counts: Integers) -> Integers:
    """Return the numbers from each beginning on, one range after the other."""
    before = np.cumsum(counts) - counts
    return np.repeat(begin - before, counts) + np.arange(int(counts.sum()))
