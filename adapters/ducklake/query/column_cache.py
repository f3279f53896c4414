"""An in-memory cache of metrics' columns, for queries that dashboards repeat.

Files never change, so cached columns stay valid; the list of files is fetched for each query. A
query of an hour takes a fraction of a millisecond if its columns are cached, and tens of
milliseconds if DuckDB has to find the file, decompress it and search the tags in text.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from enum import Enum
from typing import TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from adapters.ducklake.query import queries
from adapters.ducklake.query.exact import Integers
from adapters.ducklake.query.metric_columns import (
    ENTRY_BYTES,
    MetricColumns,
    Points,
    TagSearch,
)
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Reading
from adapters.ducklake.query.series_columns import SeriesColumns
from application.projections.errors import QueryTooLarge
from application.reading.ports import Selection

MAX_FILES = 128
"""Files that a query may take columns from; queries of more are left to DuckDB."""

MAX_CACHED_POINTS = 500_000
"""Points cached per metric and file; reading that many takes a fifth of a second."""

PART = 4
"""The columns of one query take at most one part in so many of the cache. While they are aggregated
they take several times as much."""

MAX_RANGE_POINTS = 20_000_000
"""Points of a file and metric that a query reads at most if they are not cached."""

MIN_ARRANGED = 20_000
"""Rows in range from which on a query of one series has them arranged by series. To examine as many
takes some 10 µs."""

BATCH = 100_000
"""Points read at a time, whose tags are held as text meanwhile."""

_Key = tuple[str, str, str | None, str, type[MetricColumns] | type[SeriesColumns]]


class _Instead(Enum):
    """Why a file's columns are not cached."""

    MISSING = "they have not been read yet"
    TOO_MANY = "there are too many to cache"


MISSING, TOO_MANY = _Instead


_Entry: TypeAlias = MetricColumns | SeriesColumns | _Instead


class ColumnCache:
    """Columns by file, owner and metric, at most `memory` bytes. Thread-safe."""

    def __init__(self, memory: int, *, max_points: int = MAX_CACHED_POINTS) -> None:
        self._memory = memory
        self._max_points = max_points
        self._lock = threading.Lock()
        self._bytes = 0
        self._kept: OrderedDict[_Key, _Entry] = OrderedDict()

    def points(
        self, reading: Reading, selection: Selection, files: Sequence[ParquetFile]
    ) -> Sequence[Points] | None:
        """Return the points in the files, file by file.

        None where they are too many to cache, or to hold for one query, and DuckDB has to run the
        query.
        """
        if len(files) > MAX_FILES:
            return None
        search = TagSearch(selection.tags)
        points = {file: self._points_of_one_series(selection, file, search) for file in files}
        found = {
            file: self._kept_columns(selection, file) for file in files if points[file] is None
        }
        left = self._memory // PART - sum(map(_size, found.values()))
        for read in self._read_missing(reading, selection, found):
            left -= sum(map(_size, read))
            if left < 0:
                return None
        for file, columns in found.items():
            if not isinstance(columns, MetricColumns):
                return None
            rows = columns.rows(selection.start, selection.end)
            if self._should_arrange(columns, rows, search):
                self._keep(_series_key(selection, file), SeriesColumns.of(columns))
            points[file] = columns.points(rows, search)
        return [each for each in points.values() if each is not None]

    def series(
        self, reading: Reading, selection: Selection, files: Sequence[ParquetFile]
    ) -> dict[ParquetFile, SeriesColumns | None]:
        """Return a metric's columns of files by series; None for more points than are cached."""
        found: dict[ParquetFile, SeriesColumns | None] = {}
        for file in files:
            kept = self._kept_entry(_series_key(selection, file))
            found[file] = kept if isinstance(kept, SeriesColumns) else None
        missing = [file for file, columns in found.items() if columns is None]
        by_time = {file: self._kept_columns(selection, file) for file in missing}
        read = {file for file, columns in by_time.items() if columns is MISSING}
        for _ in self._read_missing(reading, selection, by_time):
            pass
        for file, columns in by_time.items():
            if isinstance(columns, MetricColumns):
                arranged = found[file] = SeriesColumns.of(columns)
                self._keep(_series_key(selection, file), arranged)
                if file in read:
                    self._forget(_key(selection, file))
        return found

    def points_at_hand(
        self, selection: Selection, files: Sequence[ParquetFile], most: int
    ) -> tuple[Sequence[Points], int] | None:
        """Return the points, file by file, and the number of rows examined to find them.

        None if that would be more than `most` rows, or if not everything is cached in the order in
        which it is found fastest.
        """
        points, examined, search = [], 0, TagSearch(selection.tags)
        for file in files:
            of_file = self._points_of_one_series(selection, file, search)
            if of_file is None:
                columns = self._kept_columns(selection, file)
                if not isinstance(columns, MetricColumns):
                    return None
                rows = columns.rows(selection.start, selection.end)
                examined += rows.stop - rows.start
                if examined > most or self._should_arrange(columns, rows, search):
                    return None
                of_file = columns.points(rows, search)
            points.append(of_file)
        return points, examined

    def _points_of_one_series(
        self, selection: Selection, file: ParquetFile, search: TagSearch
    ) -> Points | None:
        """Return the points if they are of one series, and the file's are arranged by series."""
        if not search:
            return None
        columns = self._kept_entry(_series_key(selection, file))
        if not isinstance(columns, SeriesColumns):
            return None
        found = search.among(columns.tags, columns.ends)
        if len(found) != 1:
            return None
        return columns.points(found[0], selection.start, selection.end)

    def _should_arrange(self, columns: MetricColumns, rows: slice, search: TagSearch) -> bool:
        """Return whether to arrange columns by series: for one of many, and if there is room."""
        return (
            bool(search)
            and rows.stop - rows.start >= MIN_ARRANGED
            and self._bytes + columns.nbytes <= self._memory
            and len(search.among(columns.tags, columns.ends)) == 1
        )

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
        entry = self._kept_entry(_key(selection, file))
        return MISSING if isinstance(entry, SeriesColumns) else entry

    def _kept_entry(self, key: _Key) -> _Entry:
        with self._lock:
            if key not in self._kept:
                return MISSING
            self._kept.move_to_end(key)
            return self._kept[key]

    def _keep(self, key: _Key, columns: _Entry) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = columns
            self._bytes += _size(columns)
            while self._bytes > self._memory:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= _size(oldest)

    def _forget(self, key: _Key) -> None:
        with self._lock:
            entry = self._kept.pop(key, None)
            if entry is not None:
                self._bytes -= _size(entry)


def _key(selection: Selection, file: ParquetFile) -> _Key:
    return file.path, selection.organization, selection.team, selection.metric, MetricColumns


def _series_key(selection: Selection, file: ParquetFile) -> _Key:
    return file.path, selection.organization, selection.team, selection.metric, SeriesColumns


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


def read_series(
    reading: Reading, selection: Selection, file: ParquetFile, tags: Sequence[str]
) -> SeriesColumns:
    """Read some series of one file within the selection's range, given their tags as text.

    Raises QueryTooLarge.
    """
    read = _table(reading, [file], selection, MAX_RANGE_POINTS, tags)
    if len(read) == MAX_RANGE_POINTS:
        raise QueryTooLarge(
            f"more than {MAX_RANGE_POINTS:,} points of one metric; ask for a shorter range of time"
        )
    return SeriesColumns.of(_columns(read, np.arange(len(read))))


def _table(
    reading: Reading,
    files: Sequence[ParquetFile],
    selection: Selection,
    limit: int,
    tags: Sequence[str] | None = None,
) -> pa.Table:
    query = queries.columns([file.path for file in files], selection, limit, reading.value, tags)
    batches = reading.connection.execute(*query).to_arrow_reader(BATCH)
    # Text is encoded batch by batch, since tags make up most of the points' size.
    read = pa.Table.from_batches([_coded(batch) for batch in batches], _LAYOUT)
    reading.points += len(read)
    return read


def _columns(read: pa.Table, rows: Integers) -> MetricColumns:
    tags = read["tags"].combine_chunks()
    times, values, *log_order = (read[name].to_numpy()[rows] for name in _NUMBERS)
    series = tags.indices.to_numpy()[rows]
    return MetricColumns.of(times, values, series, tags.dictionary, tuple(log_order))


def _coded(batch: pa.RecordBatch) -> pa.RecordBatch:
    columns = [batch[name] for name in _NUMBERS]
    columns += [batch[name].dictionary_encode() for name in ("tags", "filename")]
    return pa.record_batch(columns, schema=_LAYOUT)


_TEXT = pa.dictionary(pa.int32(), pa.string())
_NUMBERS = {
    "time": pa.int64(),
    "value": pa.float64(),
    "partition": pa.int64(),
    "position": pa.int64(),
    "item": pa.int64(),
}
_LAYOUT = pa.schema({**_NUMBERS, "tags": _TEXT, "filename": _TEXT})
_NO_ROWS = np.empty(0, np.int64)


def _size(entry: _Entry) -> int:
    return ENTRY_BYTES if isinstance(entry, _Instead) else entry.nbytes
