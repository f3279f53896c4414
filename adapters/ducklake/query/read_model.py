"""Reading the projections: names, points and aggregated buckets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from adapters.ducklake.database import Location
from adapters.ducklake.query import queries
from adapters.ducklake.query.aggregates import AGGREGATES, latest_buckets
from adapters.ducklake.query.column_cache import ColumnCache
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.freed_memory import give_back
from adapters.ducklake.query.metric_columns import Points
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.query.series import DuckLakeSeries
from adapters.ducklake.query.windows import DAY, windows_back
from application.projections.errors import ProjectionMissing, QueryTooLarge
from application.projections.folds import METRIC_METADATA, METRIC_NAMES, POINTS
from application.projections.ports import LiveProgress
from application.reading.ports import Aggregation, MetricName, Sample, Selection
from domain.metric_description import MetricDescription, MetricType, Temporality

BYTES_PER_POINT = 48
"""Upper bound of a point's bytes while aggregated: bucket, value and their order, twice."""

CACHE_SHARE = 2
"""The columns of recent queries may take one part in so many of the memory."""

MAX_FILES_AT_HAND = 1000
MAX_POINTS_AT_HAND = 100_000
MAX_RANGE_AT_HAND = 31 * DAY
"""Rows examined without leaving the event loop; takes a few milliseconds at most."""

LARGE_QUERY = 250_000
"""Queries that read at least this many points, some 12 MB, return their memory to the system."""


class DuckLakeReadModel:
    """Implements PointQueries, ProjectionPositions and LiveGenerations. Close it after use.

    `series` implements SeriesSource on the same cache.

    A query runs for at most `seconds`. `memory` (bytes) bounds all queries together within DuckDB,
    and each query outside it; cached columns may take half as much on top. The caller limits how
    many queries run at once.
    """

    def __init__(
        self,
        location: Location,
        *,
        seconds: float = 10.0,
        memory: int = 256 << 20,
        threads: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._readers = Readers(location, threads=threads, memory=memory)
        self._cache = ColumnCache(memory // CACHE_SHARE)
        self._seconds = seconds
        self.series = DuckLakeSeries(self._readers, self._cache, seconds)
        self._max_points = memory // BYTES_PER_POINT
        self._clock = clock

    def close(self) -> None:
        """Close what is open as soon as no query uses it."""
        self._readers.close()

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        with self._query(METRIC_NAMES.name) as query:
            found = query.rows(queries.names(query.source, organization, team))
        return [MetricName(name, tuple(tags)) for name, tags in found]

    def descriptions(self, organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        with self._query(METRIC_METADATA.name) as query:
            found = query.rows(queries.descriptions(query.source, organization, team))
        return {
            name: MetricDescription(name, MetricType(kind), unit, text, Temporality(temporality))
            for name, kind, unit, text, temporality in found
        }

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        with self._query(METRIC_NAMES.name) as query:
            return bool(query.rows(queries.name(query.source, organization, team, metric)))

    def samples(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        *,
        label: str | None = None,
    ) -> Sequence[Sample]:
        with self._query(POINTS.name, label) as query:

            def part(window: Selection, wanted: int) -> Iterable[Sample]:
                if aggregation is None:
                    return self._points(query, window, wanted)
                return self._buckets(query, window, aggregation, wanted)

            return self._latest(selection, aggregation, limit, part)

    def cached_samples(
        self, selection: Selection, aggregation: Aggregation, limit: int
    ) -> Sequence[Sample] | None:
        end = self._clock() * 1000 if selection.end is None else selection.end
        if selection.start is None or end - selection.start > MAX_RANGE_AT_HAND:
            return None
        files = self._readers.files_at_hand(POINTS.name)
        if files is None or len(files) > MAX_FILES_AT_HAND:
            return None

        def part(window: Selection, wanted: int) -> Iterable[Sample]:
            overlapping = [file for file in files if file.overlaps(window)]
            if not overlapping:
                return ()
            points = self._cache.points_at_hand(window, overlapping, MAX_POINTS_AT_HAND)
            if points is None:
                raise _NotAtHand
            return _aggregated(points, aggregation, wanted)

        try:
            return self._latest(selection, aggregation, limit, part)
        except _NotAtHand:
            return None

    def _latest(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        part: Callable[[Selection, int], Iterable[Sample]],
    ) -> Sequence[Sample]:
        """Return the latest samples, oldest first, from the latest samples of windows."""
        period = 1 if aggregation is None else aggregation.period
        now = int(self._clock() * 1000)
        first = DAY if aggregation is None else limit * period
        found: list[Sample] = []
        for start, end in windows_back(selection.start, selection.end, now, first, period):
            window = msgspec.structs.replace(selection, start=start, end=end)
            found += part(window, limit - len(found))
            if len(found) == limit:
                break
        return found[::-1]

    def live(self, projection: str) -> LiveProgress | None:
        """See the port LiveGenerations; a generation without tables yet counts as missing."""
        try:
            with self._readers.reading(projection) as reading:
                rows = reading.connection.execute(*queries.positions(reading.source)).fetchall()
                return LiveProgress(reading.generation, dict(rows), reading.writer())
        except ProjectionMissing:
            return None

    def positions(self, projection: str) -> Mapping[int, int]:
        with self._readers.reading(projection) as reading:
            return dict(reading.connection.execute(*queries.positions(reading.source)).fetchall())

    def _points(self, query: _Query, window: Selection, wanted: int) -> Iterator[Sample]:
        if files := query.files(window):
            for row in query.rows(queries.points([f.path for f in files], window, wanted)):
                yield Sample(*row)

    def _buckets(
        self, query: _Query, window: Selection, aggregation: Aggregation, wanted: int
    ) -> list[Sample]:
        aggregator, period = aggregation.aggregator, aggregation.period
        files = query.files(window)
        if not files:
            return []
        cached = query.cached(self._cache, window, files)
        if cached is not None:
            return _aggregated(cached, aggregation, wanted)
        paths, finite = [file.path for file in files], query.finite(files)
        if aggregator in queries.EXACT_IN_SQL:
            buckets = query.rows(
                queries.buckets(paths, window, aggregator, period, wanted, finite=finite)
            )
        else:
            columns = query.columns(
                queries.values(paths, window, period, self._max_points + 1, finite=finite)
            )
            numbers, values = columns["bucket"], columns["value"]
            if len(values) > self._max_points:
                raise QueryTooLarge(
                    f"more than {self._max_points} points to aggregate at once; "
                    "ask for a shorter range of time"
                )
            buckets = latest_buckets(numbers, values, wanted, AGGREGATES[aggregator])
        query.deadline.check()
        return [Sample(number * period, value) for number, value in buckets]

    @contextmanager
    def _query(self, projection: str, label: str | None = None) -> Iterator[_Query]:
        deadline = Deadline(self._seconds)
        with self._readers.reading(projection, label, deadline) as reading:
            try:
                yield _Query(reading, deadline)
            finally:
                if reading.points >= LARGE_QUERY:
                    give_back()


class _Query:
    """One query: any number of statements on one snapshot of the store, within one deadline."""

    def __init__(self, reading: Reading, deadline: Deadline) -> None:
        self.deadline = deadline
        self.source = reading.source
        self._reading = reading

    def rows(self, query: queries.Query) -> list[Any]:
        with self.deadline.explained():
            return self._reading.connection.execute(*query).fetchall()

    def columns(self, query: queries.Query) -> dict[str, Any]:
        with self.deadline.explained():
            found = self._reading.connection.execute(*query).fetchnumpy()
        self._reading.points += len(found["value"])
        return found

    def files(self, selection: Selection) -> Sequence[ParquetFile]:
        """Return the files that may have points of the selection."""
        with self.deadline.explained():
            return [file for file in self._reading.files() if file.overlaps(selection)]

    def finite(self, files: Sequence[ParquetFile]) -> bool:
        """Return whether the files are known to have finite values only."""
        with self.deadline.explained():
            return self._reading.finite(files)

    def cached(
        self, cache: ColumnCache, selection: Selection, files: Sequence[ParquetFile]
    ) -> Points | None:
        with self.deadline.explained():
            found = cache.points(self._reading, selection, files)
        self._reading.points += len(found[1]) if found is not None else 0
        return found


class _NotAtHand(Exception):
    """A query's points are not in memory, or are too many to answer on the event loop."""


def _aggregated(points: Points, aggregation: Aggregation, wanted: int) -> list[Sample]:
    times, values = points
    aggregate, period = AGGREGATES[aggregation.aggregator], aggregation.period
    found = latest_buckets(times // period, values, wanted, aggregate)
    return [Sample(number * period, value) for number, value in found]
