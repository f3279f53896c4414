"""A metric's points of one file, in the order of time."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from adapters.ducklake.query.exact import Floats, Integers
from adapters.ducklake.store.nan_bits import without_nan_bits
from adapters.ducklake.store.rows import tag_text
from domain.values import NAN_BITS

ENTRY_BYTES = 1000
"""Upper bound of an entry's bytes in the cache, not counting its columns."""

Points = tuple[Integers, Floats]
"""Times (ms) and finite values of points of one file, by time and then in log order."""


class MetricColumns(Struct, frozen=True):
    """A metric's points of one file, ordered by time, and at one time in log order.

    Row i has the time `first + offsets[i]` (ms), `values[i]`, and `series[i]`, the number of its
    tag set. `tags` holds the tag sets as text, one per line; `ends` has each line's end in bytes.
    Values are bit for bit those that were published, except that zeros are unsigned; `finite` says
    that all of them are finite.
    """

    first: int
    offsets: npt.NDArray[np.unsignedinteger]
    values: Floats
    finite: bool
    series: npt.NDArray[np.unsignedinteger]
    tags: bytes
    ends: array[int]

    @classmethod
    def of(
        cls,
        times: Integers,
        values: Floats,
        series: Integers,
        tags: pa.Array,
        log_order: tuple[Integers, Integers, Integers] | None = None,
    ) -> MetricColumns:
        """Make columns of points in any order, as stored; `tags` may include unused tag sets.

        `log_order` has the points' partitions, positions and items; without it they are in log
        order.
        """
        values, series, tags = _with_own_bits(values, series, tags)
        if log_order is None:
            order = np.argsort(times, kind="stable")
        else:
            partitions, positions, items = log_order
            order = np.lexsort((items, positions, partitions, times))
        first = int(times[order[0]]) if len(times) else 0
        (used,) = np.bincount(series, minlength=len(tags)).nonzero()
        place = np.zeros(len(tags), np.int64)
        place[used] = np.arange(len(used))
        lines = [f"{text}\n".encode() for text in tags.take(pa.array(used)).to_pylist()]
        return cls(
            first,
            _narrow(times[order] - first),
            values[order],
            bool(np.isfinite(values).all()),
            _narrow(place[series[order]]),
            b"".join(lines),
            array("q", accumulate(map(len, lines))),
        )

    @property
    def nbytes(self) -> int:
        columns = self.offsets.nbytes + self.values.nbytes + self.series.nbytes
        return ENTRY_BYTES + columns + len(self.tags) + len(self.ends) * self.ends.itemsize

    def tag_texts(self) -> list[str]:
        """Return the tag sets as text, in the order of their numbers."""
        return self.tags.decode().splitlines()

    def rows(self, start: int | None, end: int | None) -> slice:
        """Return the rows from `start` to before `end` (ms)."""
        return slice(self._place(start, 0), self._place(end, len(self.offsets)))

    def points(self, rows: slice, wanted_tags: TagSearch) -> Points:
        """Return the rows that have the tags and a finite value."""
        offsets, values = self.offsets[rows], self.values[rows]
        if wanted_tags and len(offsets):
            found = wanted_tags.among(self.tags, self.ends)
            if len(found) == 1:
                (wanted,) = (self.series[rows] == found[0]).nonzero()
            else:
                among = np.zeros(len(self.ends), bool)
                among[found] = True
                # Two thirds of the time of `among[...]`; all places are within it.
                (wanted,) = among.take(self.series[rows], mode="clip").nonzero()
            offsets, values = offsets.take(wanted), values.take(wanted)
        if not self.finite:
            (wanted,) = np.isfinite(values).nonzero()
            offsets, values = offsets.take(wanted), values.take(wanted)
        return self.first + offsets.astype(np.int64), values

    def _place(self, time: int | None, otherwise: int) -> int:
        """Return the first row at `time` or later, `otherwise` without a time."""
        return otherwise if time is None else place(self.offsets, time - self.first)


def place(offsets: npt.NDArray[np.unsignedinteger], offset: int) -> int:
    """Return the first place in ascending offsets with at least this one."""
    if offset <= 0:
        return 0
    if not len(offsets) or offset > offsets[-1]:
        return len(offsets)
    # Of the array's own type: any other would convert the whole array.
    return int(offsets.searchsorted(offsets.dtype.type(offset)))


class TagSearch:
    """Finds the tag sets that have all of some tags, as `queries` finds them.

    Files of the same series have the same text of tag sets, which is searched once.
    """

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._wanted = [tag_text(*tag).encode() for tag in tags.items()]
        self._found: dict[bytes, list[int]] = {}

    def __bool__(self) -> bool:
        """Whether any tag is wanted."""
        return bool(self._wanted)

    def among(self, texts: bytes, ends: array[int]) -> list[int]:
        """Return the numbers of the tag sets that have the tags, of which there is at least one.

        `texts` and `ends` are as in MetricColumns.
        """
        found = self._found.get(texts)
        if found is None:
            found = self._found[texts] = self._search(texts, ends)
        return found

    def _search(self, texts: bytes, ends: array[int]) -> list[int]:
        # One search of the entire text takes a fifth of the time that one per tag set takes.
        first, *others = self._wanted
        found, at = [], texts.find(first)
        while at >= 0:
            number = bisect_right(ends, at)
            start, end = ends[number - 1] if number else 0, ends[number]
            if all(texts.find(other, start, end) >= 0 for other in others):
                found.append(number)
            at = texts.find(first, end)
        return found


def _with_own_bits(
    values: Floats, series: Integers, tags: pa.Array
) -> tuple[Floats, Integers, pa.Array]:
    """Return columns as stored with the bits of NaNs moved from the tags to the values."""
    (nans,) = np.isnan(values).nonzero()
    if not len(nans):
        return values, series, tags
    texts, bits = zip(*map(without_nan_bits, tags.to_pylist()), strict=True)
    own = np.array([NAN_BITS if each is None else each for each in bits], np.uint64)
    values = values.copy()
    values[nans] = own[series[nans]].view(np.float64)
    # Series that differed by the bits only are one.
    encoded = pa.array(texts).dictionary_encode()
    return values, encoded.indices.to_numpy()[series], encoded.dictionary


def _narrow(column: npt.NDArray[np.integer]) -> npt.NDArray[np.unsignedinteger]:
    """Return non-negative numbers in the smallest type that holds them."""
    return column.astype(np.min_scalar_type(int(column.max()) if len(column) else 0))
