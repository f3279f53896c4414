"""A metric's columns, kept in memory: what dashboards ask for again and again.

Files never change, so what was read of one stays right; which files there are is asked anew. A
query of an hour takes a fraction of a millisecond where its columns are here, and tens of them
where DuckDB has to find the file, decompress it and look for the tags in text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import reduce

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from adapters.ducklake import queries
from adapters.ducklake.exact import Floats, Integers
from adapters.ducklake.readers import Reading
from adapters.ducklake.rows import tag_text
from adapters.ducklake.series_files import SeriesFile
from application.projections.ports import Selection

MOST_FILES = 128
"""Files that a query takes columns from; one of more is left to DuckDB."""

MOST_POINTS = 500_000
"""Points of a metric in a file that are kept; it takes a fifth of a second to read so many."""

MOST_SELECTED = 64
"""Combinations of tags whose tag sets are remembered, a file's metric."""

BATCH = 100_000
"""Points whose tags are text at the same time, while they are read."""

ENTRY_BYTES = 1000
"""What an entry takes beside its columns."""


class MetricColumns(Struct, frozen=True):
    """A metric's points of one file in order of time: row i is `first + offsets[i]` (ms), a value,
    and the index of its tags in `tags`, as text."""

    first: int
    offsets: npt.NDArray[np.unsignedinteger]
    values: Floats
    series: npt.NDArray[np.unsignedinteger]
    tags: pa.Array
    selected: dict[tuple[tuple[str, str], ...], Integers] = {}

    @classmethod
    def of(cls, times: Integers, values: Floats, tags: pa.DictionaryArray) -> MetricColumns:
        order = np.argsort(times, kind="stable")
        first = int(times[order[0]]) if len(times) else 0
        return cls(
            first,
            _narrow(times[order] - first),
            values[order],
            _narrow(tags.indices.to_numpy()[order]),
            tags.dictionary,
        )

    @property
    def nbytes(self) -> int:
        arrays = (self.offsets, self.values, self.series, self.tags)
        return ENTRY_BYTES + sum(array.nbytes for array in arrays)

    def rows(self, start: int | None, end: int | None) -> slice:
        """Return which rows are from `start` to `end` (ms)."""
        return slice(self._place(start, 0), self._place(end, len(self.offsets)))

    def points(self, rows: slice, tags: Mapping[str, str]) -> Points:
        """Return those of the rows that have the tags."""
        offsets, values = self.offsets[rows], self.values[rows]
        if tags and len(offsets):
            found = self._series_with(tags)
            if len(found) == 1:
                (wanted,) = (self.series[rows] == found[0]).nonzero()
            else:
                among = np.zeros(len(self.tags), bool)
                among[found] = True
                (wanted,) = among[self.series[rows]].nonzero()
            offsets, values = offsets[wanted], values[wanted]
        return self.first + offsets.astype(np.int64), values

    def _place(self, time: int | None, otherwise: int) -> int:
        """Return which row is the first of a time or later."""
        if time is None:
            return otherwise
        offset = time - self.first
        if offset <= 0:
            return 0
        if not len(self.offsets) or offset > self.offsets[-1]:
            return len(self.offsets)
        # In the array's own type, or else it would be converted as a whole.
        return int(np.searchsorted(self.offsets, self.offsets.dtype.type(offset)))

    def _series_with(self, tags: Mapping[str, str]) -> Integers:
        """Return which of the tag sets have all of the tags, as `queries` finds them."""
        asked = tuple(tags.items())
        found = self.selected.get(asked)
        if found is None:
            have = (pc.match_substring(self.tags, tag_text(*tag)) for tag in asked)
            found = np.flatnonzero(reduce(pc.and_, have).to_numpy(zero_copy_only=False))
            if len(self.selected) >= MOST_SELECTED:
                self.selected.clear()
            self.selected[asked] = found
        return found


Points = tuple[Integers, Floats]
"""Times (ms) and values of points, in any order."""

_Key = tuple[str, str, str | None, str]


class ColumnCache:
    """Columns of at most so many bytes, by file, owner and metric. Thread-safe."""

    def __init__(self, memory: int, *, most_points: int = MOST_POINTS) -> None:
        self._memory = memory
        self._most_points = most_points
        self._lock = threading.Lock()
        self._bytes = 0
        self._kept: OrderedDict[_Key, MetricColumns | None] = OrderedDict()

    def points(
        self, reading: Reading, selection: Selection, files: Sequence[SeriesFile]
    ) -> Points | None:
        """Return the points that are in the files.

        None where they are too many to be kept, and DuckDB must be asked for what is wanted.
        """
        if len(files) > MOST_FILES:
            return None
        parts = []
        for file in files:
            known, columns = self._kept_columns(selection, file)
            if not known:
                columns = _read_columns(reading, selection, file, self._most_points)
                self._keep(_key(selection, file), columns)
            if columns is None:
                return None
            parts.append((columns, columns.rows(selection.start, selection.end)))
        return _points(selection, parts)

    def points_at_hand(
        self, selection: Selection, files: Sequence[SeriesFile], most: int
    ) -> Points | None:
        """Return the points if all that has to be looked at is here, and no more than `most`."""
        parts, left = [], most
        for file in files:
            _, columns = self._kept_columns(selection, file)
            if columns is None:
                return None
            rows = columns.rows(selection.start, selection.end)
            left -= rows.stop - rows.start
            if left < 0:
                return None
            parts.append((columns, rows))
        return _points(selection, parts)

    def _kept_columns(
        self, selection: Selection, file: SeriesFile
    ) -> tuple[bool, MetricColumns | None]:
        """Tell whether a file's columns are known, and which; None where they are too many."""
        key = _key(selection, file)
        with self._lock:
            if key not in self._kept:
                return False, None
            self._kept.move_to_end(key)
            return True, self._kept[key]

    def _keep(self, key: _Key, columns: MetricColumns | None) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = columns
            self._bytes += _size(columns)
            while self._bytes > self._memory:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= _size(oldest)


def _key(selection: Selection, file: SeriesFile) -> _Key:
    return file.path, selection.organization, selection.team, selection.metric


def _points(selection: Selection, parts: Sequence[tuple[MetricColumns, slice]]) -> Points:
    found = [columns.points(rows, selection.tags) for columns, rows in parts]
    if len(found) == 1:
        return found[0]
    times, values = zip(*found, strict=True)
    return np.concatenate(times), np.concatenate(values)


def _read_columns(
    reading: Reading, selection: Selection, file: SeriesFile, most_points: int
) -> MetricColumns | None:
    """Read a metric's columns of a file, None where it has more points than may be kept."""
    whole = msgspec.structs.replace(selection, tags={}, start=None, end=None)
    query = queries.columns(file.path, whole, most_points + 1)
    batches = reading.connection.execute(*query).to_arrow_reader(BATCH)
    # Tags become codes batch by batch: as text they are most of the points' size.
    read = pa.Table.from_batches(
        [
            pa.record_batch(
                [batch["time"], batch["value"], batch["tags"].dictionary_encode()],
                ["time", "value", "tags"],
            )
            for batch in batches
        ],
        pa.schema(
            {
                "time": pa.int64(),
                "value": pa.float64(),
                "tags": pa.dictionary(pa.int32(), pa.string()),
            }
        ),
    )
    if len(read) > most_points:
        return None
    return MetricColumns.of(
        read["time"].to_numpy(), read["value"].to_numpy(), read["tags"].combine_chunks()
    )


def _narrow(column: npt.NDArray[np.integer]) -> npt.NDArray[np.unsignedinteger]:
    """Return numbers from 0 on in the least bits that hold them."""
    return column.astype(np.min_scalar_type(int(column.max()) if len(column) else 0))


def _size(columns: MetricColumns | None) -> int:
    return ENTRY_BYTES if columns is None else columns.nbytes
