"""An in-memory cache of metrics' columns, for queries that dashboards repeat.

Files never change, so cached columns stay valid; the list of files is fetched for each query. A
query of an hour takes a fraction of a millisecond if its columns are cached, and tens of
milliseconds if DuckDB has to find the file, decompress it and search the tags in text.
"""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import Enum
from itertools import accumulate

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from msgspec import Struct

from adapters.ducklake.query import queries
from adapters.ducklake.query.exact import Floats, Integers
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Reading
from adapters.ducklake.store.nan_bits import without_nan_bits
from adapters.ducklake.store.rows import tag_text
from application.projections.errors import QueryTooLarge
from application.reading.ports import Selection
from domain.values import NAN_BITS

MAX_FILES = 128
"""Files that a query may take columns from; queries of more are left to DuckDB."""

MAX_CACHED_POINTS = 500_000
"""Points cached per metric and file; reading that many takes a fifth of a second."""

PART = 4
"""The columns of one query take at most one part in so many of the cache. While they are aggregated
they take several times as much."""

MAX_RANGE_POINTS = 20_000_000
"""Points of a file and metric that a query reads at most if they are not cached."""

BATCH = 100_000
"""Points read at a time, whose tags are held as text meanwhile."""

ENTRY_BYTES = 1000
"""Upper bound of an entry's bytes, not counting its columns."""


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
        log_order: tuple[Integers, Integers] | None = None,
    ) -> MetricColumns:
        """Make columns of points in any order, as stored; `tags` may include unused tag sets.

        `log_order` has the positions and items of the points; without it they are in log order.
        """
        values, series, tags = _with_own_bits(values, series, tags)
        if log_order is None:
            order = np.argsort(times, kind="stable")
        else:
            positions, items = log_order
            order = np.lexsort((items, positions, times))
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

    def points(self, rows: slice, tags: Mapping[str, str]) -> Points:
        """Return the rows that have the tags and a finite value."""
        offsets, values = self.offsets[rows], self.values[rows]
        if tags and len(offsets):
            found = self._series_with(tags)
            if len(found) == 1:
                (wanted,) = (self.series[rows] == found[0]).nonzero()
            else:
                among = np.zeros(len(self.ends), bool)
                among[found] = True
                (wanted,) = among[self.series[rows]].nonzero()
            offsets, values = offsets[wanted], values[wanted]
        if not self.finite:
            (wanted,) = np.isfinite(values).nonzero()
            offsets, values = offsets[wanted], values[wanted]
        return self.first + offsets.astype(np.int64), values

    def _place(self, time: int | None, otherwise: int) -> int:
        """Return the first row at `time` or later, `otherwise` without a time."""
        if time is None:
            return otherwise
        offset = time - self.first
        if offset <= 0:
            return 0
        if not len(self.offsets) or offset > self.offsets[-1]:
            return len(self.offsets)
        # Of the array's own type: any other would convert the whole array.
        return int(np.searchsorted(self.offsets, self.offsets.dtype.type(offset)))

    def _series_with(self, tags: Mapping[str, str]) -> list[int]:
        """Return the numbers of the tag sets that have all the tags, as `queries` finds them.

        One search of the entire text takes a fifth of the time that one per tag set takes.
        """
        first, *others = (tag_text(*tag).encode() for tag in tags.items())
        found, at = [], self.tags.find(first)
        while at >= 0:
            number = bisect_right(self.ends, at)
            start, end = self.ends[number - 1] if number else 0, self.ends[number]
            if all(self.tags.find(other, start, end) >= 0 for other in others):
                found.append(number)
            at = self.tags.find(first, end)
        return found


Points = tuple[Integers, Floats]
"""Times (ms) and finite values of points, in any order."""

_Key = tuple[str, str, str | None, str]


class _Instead(Enum):
    """Why a file's columns are not cached."""

    MISSING = "they have not been read yet"
    TOO_MANY = "there are too many to cache"


MISSING, TOO_MANY = _Instead


class ColumnCache:
    """Columns by file, owner and metric, at most `memory` bytes. Thread-safe."""

    def __init__(self, memory: int, *, max_points: int = MAX_CACHED_POINTS) -> None:
        self._memory = memory
        self._max_points = max_points
        self._lock = threading.Lock()
        self._bytes = 0
        self._kept: OrderedDict[_Key, MetricColumns | _Instead] = OrderedDict()

    def points(
        self, reading: Reading, selection: Selection, files: Sequence[ParquetFile]
    ) -> Points | None:
        """Return the points in the files.

        None where they are too many to cache, or to hold for one query, and DuckDB has to run the
        query.
        """
        if len(files) > MAX_FILES:
            return None
        found = {file: self._kept_columns(selection, file) for file in files}
        left = self._memory // PART - sum(map(_size, found.values()))
        for read in self._read_missing(reading, selection, found):
            left -= sum(map(_size, read))
            if left < 0:
                return None
        parts = []
        for columns in found.values():
            if not isinstance(columns, MetricColumns):
                return None
            parts.append((columns, columns.rows(selection.start, selection.end)))
        return _points(selection, parts)

    def columns(
        self, reading: Reading, selection: Selection, files: Sequence[ParquetFile]
    ) -> Iterator[MetricColumns]:
        """Yield a metric's columns of files, in the order of the log.

        Files with more points than are cached are read in the selection's range alone.
        """
        ordered = sorted(files, key=lambda file: file.first_position)
        found = {file: self._kept_columns(selection, file) for file in ordered}
        for _ in self._read_missing(reading, selection, found):
            pass
        for file, columns in found.items():
            if isinstance(columns, MetricColumns):
                yield columns
            else:
                yield _read_range(reading, selection, file)

    def points_at_hand(
        self, selection: Selection, files: Sequence[ParquetFile], most: int
    ) -> Points | None:
        """Return the points if all rows in range are cached and there are no more than `most`."""
        parts, left = [], most
        for file in files:
            columns = self._kept_columns(selection, file)
            if not isinstance(columns, MetricColumns):
                return None
            rows = columns.rows(selection.start, selection.end)
            left -= rows.stop - rows.start
            if left < 0:
                return None
            parts.append((columns, rows))
        return _points(selection, parts)

    def _read_missing(
        self,
        reading: Reading,
        selection: Selection,
        found: dict[ParquetFile, MetricColumns | _Instead],
    ) -> Iterator[Collection[MetricColumns | _Instead]]:
        """Read and keep what is missing of `found`; yield what was read, group by group."""
        missing = [file for file, columns in found.items() if columns is MISSING]
        for group in _groups(missing, self._max_points):
            read = _read(reading, selection, group, self._max_points)
            found.update(read)
            for file, columns in read.items():
                self._keep(_key(selection, file), columns)
            yield read.values()

    def _kept_columns(self, selection: Selection, file: ParquetFile) -> MetricColumns | _Instead:
        key = _key(selection, file)
        with self._lock:
            if key not in self._kept:
                return MISSING
            self._kept.move_to_end(key)
            return self._kept[key]

    def _keep(self, key: _Key, columns: MetricColumns | _Instead) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = columns
            self._bytes += _size(columns)
            while self._bytes > self._memory:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= _size(oldest)


def _key(selection: Selection, file: ParquetFile) -> _Key:
    return file.path, selection.organization, selection.team, selection.metric


def _points(selection: Selection, parts: Sequence[tuple[MetricColumns, slice]]) -> Points:
    found = [columns.points(rows, selection.tags) for columns, rows in parts]
    if len(found) == 1:
        return found[0]
    times, values = zip(*found, strict=True)
    return np.concatenate(times), np.concatenate(values)


def _groups(files: Sequence[ParquetFile], max_points: int) -> Iterator[Sequence[ParquetFile]]:
    """Yield groups of files to read together, of at most `max_points` points or a single file."""
    group: list[ParquetFile] = []
    for file in files:
        if group and sum(each.points for each in group) + file.points > max_points:
            yield group
            group = []
        group.append(file)
    if group:
        yield group


def _read(
    reading: Reading, selection: Selection, files: Sequence[ParquetFile], max_points: int
) -> dict[ParquetFile, MetricColumns | _Instead]:
    """Read a metric's columns from files; TOO_MANY if they exceed `max_points`."""
    whole = msgspec.structs.replace(selection, tags={}, start=None, end=None)
    read = _table(reading, files, whole, max_points + 1)
    if len(read) > max_points:
        return dict.fromkeys(files, TOO_MANY)
    of_file = read["filename"].combine_chunks()
    codes = of_file.indices.to_numpy()
    rows_of = {
        path: np.flatnonzero(codes == code)
        for code, path in enumerate(of_file.dictionary.to_pylist())
    }
    return {file: _columns(read, rows_of.get(file.path, _NO_ROWS)) for file in files}


def _read_range(reading: Reading, selection: Selection, file: ParquetFile) -> MetricColumns:
    """Read a metric's columns of one file, within the selection's range.

    Raises QueryTooLarge.
    """
    read = _table(reading, [file], msgspec.structs.replace(selection, tags={}), MAX_RANGE_POINTS)
    if len(read) == MAX_RANGE_POINTS:
        raise QueryTooLarge(
            f"more than {MAX_RANGE_POINTS:,} points of one metric; ask for a shorter range of time"
        )
    return _columns(read, np.arange(len(read)))


def _table(
    reading: Reading, files: Sequence[ParquetFile], selection: Selection, limit: int
) -> pa.Table:
    query = queries.columns([file.path for file in files], selection, limit)
    batches = reading.connection.execute(*query).to_arrow_reader(BATCH)
    # Text is encoded batch by batch, since tags make up most of the points' size.
    read = pa.Table.from_batches([_coded(batch) for batch in batches], _LAYOUT)
    reading.points += len(read)
    return read


def _columns(read: pa.Table, rows: Integers) -> MetricColumns:
    tags = read["tags"].combine_chunks()
    times, values, positions, items = (
        read[name].to_numpy()[rows] for name in ("time", "value", "position", "item")
    )
    series = tags.indices.to_numpy()[rows]
    return MetricColumns.of(times, values, series, tags.dictionary, (positions, items))


def _coded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [batch[name] for name in ("time", "value", "position", "item")]
    columns += [batch[name].dictionary_encode() for name in ("tags", "filename")]
    return pa.record_batch(columns, schema=_LAYOUT)


_TEXT = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = {"time": pa.int64(), "value": pa.float64(), "position": pa.int64(), "item": pa.int64()}
_LAYOUT = pa.schema({**_NUMBERS, "tags": _TEXT, "filename": _TEXT})
_NO_ROWS = np.empty(0, np.int64)


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


def _size(columns: MetricColumns | _Instead) -> int:
    return columns.nbytes if isinstance(columns, MetricColumns) else ENTRY_BYTES
