"""Reading the projections: names, points, and buckets of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from adapters.ducklake import queries
from adapters.ducklake.aggregates import AGGREGATES, latest_buckets
from adapters.ducklake.database import Location
from adapters.ducklake.deadline import Deadline
from adapters.ducklake.readers import Readers, Reading
from adapters.ducklake.windows import DAY, windows_back
from application.projections.errors import QueryTooLarge, TooManyQueries
from application.projections.folds import CATALOG, SERIES
from application.projections.ports import Aggregation, MetricName, Sample, Selection, SeriesRow
from application.receipts import Receipt

BYTES_A_POINT = 48
"""What a point takes at most while it is aggregated: bucket and value, and their order, twice."""

HOUR = 3_600_000

EXPORT_SORTED = 200_000
"""Points that an export sorts at a time, unless a single hour of a metric has more."""

EXPORT_CHUNK = 10_000

_decode_tags = msgspec.json.Decoder(dict[str, str]).decode


class DuckLakeReadModel:
    """Implements the port ReadModel. Close it after use.

    At most `concurrency` queries run at once, each for `seconds` at most; `memory` is in bytes,
    for all of them together within DuckDB, and again for each outside of it.
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
        self._running = threading.BoundedSemaphore(concurrency)
        self._seconds = seconds
        self._max_points = memory // BYTES_A_POINT
        self._clock = clock

    def close(self) -> None:
        """Give up what is open, as soon as no query uses it."""
        self._readers.close()

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        with self._query(CATALOG.name) as query:
            found = query.rows(queries.names(query.source, organization, team))
        return [MetricName(name, tuple(tags)) for name, tags in found]

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        with self._query(CATALOG.name) as query:
            return bool(query.rows(queries.name(query.source, organization, team, metric)))

    def samples(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        *,
        label: str | None = None,
    ) -> Sequence[Sample]:
        period = 1 if aggregation is None else aggregation.period
        now = int(self._clock() * 1000)
        first = DAY if aggregation is None else limit * period
        found: list[Sample] = []
        with self._query(SERIES.name, label) as query:
            for start, end in windows_back(selection.start, selection.end, now, first, period):
                window = msgspec.structs.replace(selection, start=start, end=end)
                wanted = limit - len(found)
                if aggregation is None:
                    found += self._points(query, window, wanted)
                else:
                    found += self._buckets(query, window, aggregation, wanted)
                if len(found) == limit:
                    break
        return found[::-1]

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
    ) -> Iterator[Sequence[SeriesRow]]:
        """Yield points in chunks of one metric each. Reads one state of the store to the end."""
        with self._readers.reading(SERIES.name, label) as reading:
            for name in [metric] if metric is not None else _names(reading, organization, team):
                selection = Selection(
                    organization=organization, team=team, metric=name, start=start, end=end
                )
                yield from _chunks(reading, selection)

    def _points(self, query: _Query, window: Selection, wanted: int) -> Iterator[Sample]:
        for row in query.rows(queries.points(query.source, window, wanted)):
            yield Sample(*row)

    def _buckets(
        self, query: _Query, window: Selection, aggregation: Aggregation, wanted: int
    ) -> Iterator[Sample]:
        aggregator, period = aggregation.aggregator, aggregation.period
        if aggregator in queries.EXACT_IN_SQL:
            buckets: Iterator[tuple[int, float]] = iter(
                query.rows(queries.buckets(query.source, window, aggregator, period, wanted))
            )
        else:
            columns = query.columns(
                queries.values(query.source, window, period, self._max_points + 1)
            )
            if len(columns["value"]) > self._max_points:
                raise QueryTooLarge(
                    f"more than {self._max_points} points to aggregate at once; "
                    "ask for a shorter range of time"
                )
            buckets = latest_buckets(
                columns["bucket"], columns["value"], wanted, AGGREGATES[aggregator]
            )
        for number, value in buckets:
            query.deadline.check()
            yield Sample(number * period, value)

    @contextmanager
    def _query(self, projection: str, label: str | None = None) -> Iterator[_Query]:
        if not self._running.acquire(blocking=False):
            raise TooManyQueries("as many queries as may are running; try again")
        try:
            deadline = Deadline(self._seconds)
            with (
                self._readers.reading(projection, label) as reading,
                deadline.interrupting(reading.connection),
            ):
                yield _Query(reading, deadline)
        finally:
            self._running.release()


class _Query:
    """One query: any number of statements on one state of the store, within one deadline."""

    def __init__(self, reading: Reading, deadline: Deadline) -> None:
        self.source = reading.source
        self.deadline = deadline
        self._connection = reading.connection

    def rows(self, query: queries.Query) -> list[Any]:
        with self.deadline.explained():
            return self._connection.execute(*query).fetchall()

    def columns(self, query: queries.Query) -> dict[str, Any]:
        with self.deadline.explained():
            return self._connection.execute(*query).fetchnumpy()


def _names(reading: Reading, organization: str, team: str | None) -> list[str]:
    query = queries.series_names(reading.source, organization, team)
    return [name for (name,) in reading.connection.execute(*query).fetchall()]


def _chunks(reading: Reading, selection: Selection) -> Iterator[Sequence[SeriesRow]]:
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
                SeriesRow(
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
