"""Reading the projections: names, points, and buckets of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from adapters.ducklake.database import Location
from adapters.ducklake.query import queries
from adapters.ducklake.query.aggregates import AGGREGATES, latest_buckets
from adapters.ducklake.query.column_cache import ColumnCache, Points
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.parquet_files import ParquetFile
from adapters.ducklake.query.readers import Readers, Reading
from adapters.ducklake.query.windows import DAY, windows_back
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionMissing, QueryTooLarge, TooManyQueries
from application.projections.folds import METRIC_NAMES, POINTS
from application.projections.ports import LiveProgress
from application.reading.ports import Aggregation, MetricName, PointRow, Sample, Selection

BYTES_PER_POINT = 48
"""What a point takes at most while it is aggregated: bucket and value, and their order, twice."""

CACHE_SHARE = 2
"""The part of the memory that the columns of recent queries may take: one in so many bytes."""

MAX_FILES_AT_HAND = 1000
MAX_POINTS_AT_HAND = 100_000
MAX_RANGE_AT_HAND = 31 * DAY
"""What is looked at without leaving the event loop: it takes a few milliseconds at most."""

HOUR = 3_600_000

EXPORT_SORTED = 200_000
"""Points that an export sorts at a time, unless a single hour of a metric has more."""

EXPORT_CHUNK = 10_000

_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class DuckLakeReadModel:
    """Implements the ports ReadModel and LiveGenerations. Close it after use.

    At most `concurrency` queries run at once, each for `seconds` at most; `memory` is in bytes,
    for all of them together within DuckDB, and again for each outside of it. Half as much is
    for columns that they asked for of late.
    """

    def __init__(
        self,
        location: Location,
        *,
        seconds: float = 10.0,
        memory: int = 256 << 20,
        concurrency: int = 4,
        threads: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._readers = Readers(location, threads=threads, memory=memory)
        self._cache = ColumnCache(memory // CACHE_SHARE)
        self._running = threading.BoundedSemaphore(concurrency)
        self._seconds = seconds
        self._max_points = memory // BYTES_PER_POINT
        self._clock = clock

    def close(self) -> None:
        """Give up what is open, as soon as no query uses it."""
        self._readers.close()

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        with self._query(METRIC_NAMES.name) as query:
            found = query.rows(queries.names(query.source, organization, team))
        return [MetricName(name, tuple(tags)) for name, tags in found]

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

    def samples_at_hand(
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
        """As the port LiveGenerations says; a generation without tables yet is none."""
        try:
            with self._readers.reading(projection) as reading:
                rows = reading.connection.execute(*queries.positions(reading.source)).fetchall()
                return LiveProgress(reading.generation, dict(rows))
        except ProjectionMissing:
            return None

    def positions(self, projection: str) -> Mapping[int, int]:
        with self._readers.reading(projection) as reading:
            return dict(reading.connection.execute(*queries.positions(reading.source)).fetchall())

    def rows(
        self,
        organization: str,
        team: str | None,
        *,
        metric: str | None = None,
        start: int | None = None,
        end: int | None = None,
        label: str | None = None,
    ) -> Iterator[Sequence[PointRow]]:
        """Yield points in chunks of one metric each. Reads one state of the store to the end."""
        with self._readers.reading(POINTS.name, label) as reading:
            for name in [metric] if metric is not None else _names(reading, organization, team):
                selection = Selection(
                    organization=organization, team=team, metric=name, start=start, end=end
                )
                yield from _chunks(reading, selection)

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
        paths = [file.path for file in files]
        if aggregator in queries.EXACT_IN_SQL:
            buckets = query.rows(queries.buckets(paths, window, aggregator, period, wanted))
        else:
            columns = query.columns(queries.values(paths, window, period, self._max_points + 1))
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
        if not self._running.acquire(blocking=False):
            raise TooManyQueries("as many queries as may are running; try again")
        try:
            deadline = Deadline(self._seconds)
            with self._readers.reading(projection, label, deadline) as reading:
                yield _Query(reading, deadline)
        finally:
            self._running.release()


class _Query:
    """One query: any number of statements on one state of the store, within one deadline."""

    def __init__(self, reading: Reading, deadline: Deadline) -> None:
        self.deadline = deadline
        self.source = reading.source
        self._reading = reading

    def rows(self, query: queries.Query) -> list[Any]:
        with self.deadline.explained():
            return self._reading.connection.execute(*query).fetchall()

    def columns(self, query: queries.Query) -> dict[str, Any]:
        with self.deadline.explained():
            return self._reading.connection.execute(*query).fetchnumpy()

    def files(self, selection: Selection) -> Sequence[ParquetFile]:
        """Return the files that may have points of the selection."""
        with self.deadline.explained():
            return [file for file in self._reading.files() if file.overlaps(selection)]

    def cached(
        self, cache: ColumnCache, selection: Selection, files: Sequence[ParquetFile]
    ) -> Points | None:
        with self.deadline.explained():
            return cache.points(self._reading, selection, files)


class _NotAtHand(Exception):
    """What a query asks for is not in memory, or is more than is told at once."""


def _aggregated(points: Points, aggregation: Aggregation, wanted: int) -> list[Sample]:
    times, values = points
    aggregate, period = AGGREGATES[aggregation.aggregator], aggregation.period
    found = latest_buckets(times // period, values, wanted, aggregate)
    return [Sample(number * period, value) for number, value in found]


def _names(reading: Reading, organization: str, team: str | None) -> list[str]:
    query = queries.published_names(reading.source, organization, team)
    return [name for (name,) in reading.connection.execute(*query).fetchall()]


def _chunks(reading: Reading, selection: Selection) -> Iterator[Sequence[PointRow]]:
    """Yield a metric's points, sorting a few hours' at a time to stay within the memory."""
    for start, end in _stretches(
        reading.connection.execute(*queries.hours(reading.source, selection)).fetchall()
    ):
        stretch = msgspec.structs.replace(
            selection,
            start=max(start, selection.start or 0),
            end=end if selection.end is None else min(end, selection.end),
        )
        cursor = reading.connection.execute(*queries.rows(reading.source, stretch))
        while rows := cursor.fetchmany(EXPORT_CHUNK):
            yield [
                PointRow(
                    selection.metric,
                    milliseconds,
                    value,
                    _decode_tags(tags),
                    Receipt.at(partition, position),
                    item,
                )
                for milliseconds, value, tags, partition, position, item in rows
            ]


def _stretches(hours: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield ranges of time (ms) of at most EXPORT_SORTED points, an hour at least."""
    start, points = None, 0
    for hour, count in hours:
        if start is not None and points + count > EXPORT_SORTED:
            yield start * HOUR, hour * HOUR
            start, points = None, 0
        if start is None:
            start = hour
        points += count
    if start is not None:
        yield start * HOUR, (hours[-1][0] + 1) * HOUR
