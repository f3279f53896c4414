"""A metric's points of one file, series by series, for PromQL and for queries of one series."""

from __future__ import annotations

from array import array

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from adapters.ducklake.query.exact import Floats, Integers
from adapters.ducklake.query.metric_columns import ENTRY_BYTES, MetricColumns, Points, place

FEW = 16
"""Sequences of times that are searched one by one."""

MIN_SHARED = 16
"""Points per series from which on equal sequences of times are looked for."""


class SeriesColumns(Struct, frozen=True, eq=False, weakref=True):
    """Points ordered by tag set, then by time, and at one time in log order.

    Tag set i has `values[starts[i]:starts[i + 1]]`. Their times are `firsts[i]` (ms) plus as many
    `offsets` from `times_at[i]` on: tag sets that are scraped at the same intervals share those.
    `first` and `last` are the earliest and the latest time. `tags` and `ends` are those of
    MetricColumns.
    """

    first: int
    last: int
    firsts: Integers
    offsets: npt.NDArray[np.unsignedinteger]
    times_at: Integers
    starts: Integers
    values: Floats
    tags: bytes
    ends: array[int]

    @classmethod
    def of(cls, columns: MetricColumns) -> SeriesColumns:
        """Arrange points by series."""
        count = len(columns.ends)
        # NumPy sorts 16-bit integers by their digits, in linear time.
        narrow = columns.series.astype(np.uint16) if count < 1 << 16 else columns.series
        order = np.argsort(narrow, kind="stable")
        starts = np.zeros(count + 1, np.int64)
        np.cumsum(np.bincount(columns.series, minlength=count), out=starts[1:])
        offsets = columns.offsets[order]
        own_first = offsets[starts[:-1]]
        since_first = offsets - np.repeat(own_first, np.diff(starts))
        shared, times_at = _shared(since_first, starts)
        return cls(
            columns.first,
            columns.first + int(columns.offsets.max(initial=0)),
            own_first.astype(np.int64) + columns.first,
            shared,
            times_at,
            starts,
            columns.values[order],
            columns.tags,
            columns.ends,
        )

    @property
    def nbytes(self) -> int:
        arrays = (self.firsts, self.offsets, self.times_at, self.starts, self.values)
        text = len(self.tags) + len(self.ends) * self.ends.itemsize
        return ENTRY_BYTES + sum(each.nbytes for each in arrays) + text

    def tag_texts(self) -> list[str]:
        """Return the tag sets as text, in the order of their numbers."""
        return self.tags.decode().splitlines()

    def rows(self, sets: Integers, start: int, end: int) -> tuple[Integers, Integers]:
        """Return of each of these tag sets the first row from `start` on (ms), and the one after
        the last row up to `end`."""
        begin, after = self.starts[sets], self.starts[sets + 1]
        if start <= self.first and end >= self.last:
            return begin, after
        at, firsts = self.times_at[sets], self.firsts[sets]
        first = self._places(at, after - begin, start - firsts)
        last = self._places(at, after - begin, end + 1 - firsts)
        return begin + first, begin + last

    def points(self, tag_set: int, start: int | None, end: int | None) -> Points:
        """Return a tag set's points with a finite value, from `start` to before `end` (ms)."""
        begin, after = int(self.starts[tag_set]), int(self.starts[tag_set + 1])
        first, at = int(self.firsts[tag_set]), int(self.times_at[tag_set])
        offsets = self.offsets[at : at + after - begin]
        rows = slice(
            0 if start is None else place(offsets, start - first),
            len(offsets) if end is None else place(offsets, end - first),
        )
        times, values = first + offsets[rows].astype(np.int64), self.values[begin:after][rows]
        finite = np.isfinite(values)
        return (times, values) if finite.all() else (times[finite], values[finite])

    def write_times(self, tag_set: int, begin: int, end: int, target: Integers) -> None:
        """Write the times of some rows of one tag set, in ms."""
        shift = int(self.times_at[tag_set] - self.starts[tag_set])
        target[:] = self.offsets[begin + shift : end + shift]
        target += self.firsts[tag_set]

    def all_times(self, sets: Integers, rows: Integers) -> Integers:
        """Return the times of rows in ms, given the tag set of each."""
        places = rows + (self.times_at - self.starts[:-1])[sets]
        return self.offsets[places].astype(np.int64) + self.firsts[sets]

    def _places(self, at: Integers, counts: Integers, sought: Integers) -> Integers:
        """Return how many offsets are below the sought one, of each sequence of them."""
        most = np.iinfo(self.offsets.dtype).max
        # Of the array's own type: any other would convert the whole array.
        needles = np.clip(sought, 0, most).astype(self.offsets.dtype)
        if not len(at):
            return counts
        if (at[0] == at).all():
            found = self.offsets[at[0] : at[0] + counts[0]].searchsorted(needles)
        elif len(at) <= FEW:
            sequences = zip(at.tolist(), counts.tolist(), needles, strict=True)
            alone = [self.offsets[a : a + n].searchsorted(needle) for a, n, needle in sequences]
            found = np.array(alone, np.int64)
        else:
            found = _bisected(self.offsets, at, at + counts, needles) - at
        return np.where(sought > most, counts, found)


def _shared(
    offsets: npt.NDArray[np.unsignedinteger], starts: Integers
) -> tuple[npt.NDArray[np.unsignedinteger], Integers]:
    """Return the different sequences of offsets, and where the one of each tag set begins."""
    count = len(starts) - 1
    if len(offsets) < MIN_SHARED * count:
        return offsets, starts[:-1]
    places: dict[bytes, int] = {}
    kept: list[npt.NDArray[np.unsignedinteger]] = []
    times_at = np.empty(count, np.int64)
    length = 0
    bounds = starts.tolist()
    for number, start in enumerate(bounds[:-1]):
        own = offsets[start : bounds[number + 1]]
        place = places.setdefault(own.tobytes(), length)
        if place == length:
            kept.append(own)
            length += len(own)
        times_at[number] = place
    return np.concatenate(kept) if kept else offsets, times_at


def _bisected(
    offsets: npt.NDArray[np.unsignedinteger],
    low: Integers,
    high: Integers,
    sought: npt.NDArray[np.unsignedinteger],
) -> Integers:
    """Return the first places from `low` to `high` whose offsets are not below the sought ones."""
    low, high = low.copy(), high.copy()
    while (open_ := low < high).any():
        middle = (low + high) >> 1
        below = open_ & (offsets.take(middle, mode="clip") < sought)
        low = np.where(below, middle + 1, low)
        high = np.where(open_ & ~below, middle, high)
    return low
