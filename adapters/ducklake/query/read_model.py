"""Reading the projections: names, points and aggregated buckets."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import numpy as np

from adapters.ducklake.database import Location
from adapters.ducklake.freed_memory import give_back
from adapters.ducklake.query import queries
from adapters.ducklake.query.aggregates import AGGREGATES, latest_buckets
from adapters.ducklake.query.column_cache import MAX_FILES, ColumnCache
from adapters.ducklake.query.deadline import Deadline
from adapters.ducklake.query.exact import are_close
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
MAX_ROWS_AT_HAND = 1_000_000
MAX_POINTS_AT_HAND = 20_000
"""Files and cached rows examined, and points aggregated, without leaving the event loop. They bound
the time to about a millisecond."""

MAX_ANY_AT_HAND = 500
"""Points that are summed there whatever their exponents are, which can take 20 µs per point."""

SUMMING = frozenset(("mean", "stddev", "sum"))

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
                return self._samples(query, window, aggregation, wanted)

            return self._latest(selection, aggregation, limit, part)

    def cached_samples(
        self, selection: Selection, aggregation: Aggregation | None, limit: int
    ) -> Sequence[Sample] | None:
        files = self._files_at_hand(selection)
        if files is None:
            return None
        # Without tags, every row is a point.
        most_rows = MAX_ROWS_AT_HAND if selection.tags else MAX_POINTS_AT_HAND
        rows = points = 0

        def part(window: Selection, wanted: int) -> Iterable[Sample]:
            nonlocal rows, points
            overlapping = [file for file in files if file.overlaps(window)]
            cached = self._cache.points_at_hand(window, overlapping, most_rows - rows)
            if cached is None:
                raise _NotAtHand
            found, examined = cached
            max_any = MAX_ANY_AT_HAND - points
            rows += examined
            points += sum(len(times) for times, _ in found)
            if points > MAX_POINTS_AT_HAND:
                raise _NotAtHand
            samples = _latest_samples(found, aggregation, wanted, max_any=max_any)
            if samples is None:
                raise _NotAtHand
            return samples

        try:
            return self._latest(selection, aggregation, limit, part)
        except _NotAtHand:
            return None

    def _files_at_hand(self, selection: Selection) -> Sequence[ParquetFile] | None:
        """Return the files that may have points of the selection; None if it is unknown or many."""
        files = self._readers.files_at_hand(POINTS.name)
        if files is None or len(files) > MAX_FILES_AT_HAND:
            return None
        overlapping = [file for file in files if file.overlaps(selection)]
        return overlapping if len(overlapping) <= MAX_FILES else None

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
                return LiveProgress(reading.generation, dict(rows), reading.writers())
        except ProjectionMissing:
            return None

    def positions(self, projection: str) -> Mapping[int, int]:
        with self._readers.reading(projection) as reading:
            return dict(reading.connection.execute(*queries.positions(reading.source)).fetchall())

    def _samples(
        self, query: _Query, window: Selection, aggregation: Aggregation | None, wanted: int
    ) -> list[Sample]:
        files = query.files(window)
        if not files:
            return []
        cached = query.cached(self._cache, window, files)
        if cached is not None:
            samples = _latest_samples(cached, aggregation, wanted)
            if samples is not None:
                return samples
        if aggregation is None:
            paths = [file.path for file in files]
            rows = query.rows(queries.points(paths, window, wanted, query.value()))
            return [Sample(*row) for row in rows]
        return self._buckets(query, window, files, aggregation, wanted)

    def _buckets(
        self,
        query: _Query,
        window: Selection,
        files: Sequence[ParquetFile],
        aggregation: Aggregation,
        wanted: int,
    ) -> list[Sample]:
        """Let DuckDB read the points, and aggregate them where it can do so exactly."""
        aggregator, period = aggregation.aggregator, aggregation.period
        paths, value, finite = [file.path for file in files], query.value(), query.finite(files)
        if aggregator in queries.EXACT_IN_SQL:
            buckets = query.rows(
                queries.buckets(paths, window, aggregator, period, wanted, value, finite=finite)
            )
        else:
            columns = query.columns(
                queries.values(paths, window, period, self._max_points + 1, value, finite=finite)
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

    def value(self) -> str:
        """Return the SQL for a point's value."""
        with self.deadline.explained():
            return self._reading.value

    def finite(self, files: Sequence[ParquetFile]) -> bool:
        """Return whether the files are known to have finite values only."""
        with self.deadline.explained():
            return self._reading.finite(files)

    def cached(
        self, cache: ColumnCache, selection: Selection, files: Sequence[ParquetFile]
    ) -> Sequence[Points] | None:
        with self.deadline.explained():
            found = cache.points(self._reading, selection, files)
        self._reading.points += sum(len(times) for times, _ in found or ())
        return found


class _NotAtHand(Exception):
    """A query's points are not in memory, or are too many to answer on the event loop."""


def _latest_samples(
    parts: Sequence[Points],
    aggregation: Aggregation | None,
    wanted: int,
    *,
    max_any: float = math.inf,
) -> list[Sample] | None:
    """Return the latest samples of files' points, the latest first.

    None for points of one time in several files: only their positions, which cached columns lack,
    give the order. None as well for sums of more than `max_any` points whose exponents differ much.
    """
    if not parts:
        return []
    times, values = parts[0] if len(parts) == 1 else map(np.concatenate, zip(*parts, strict=True))
    if aggregation is not None:
        aggregate, period = AGGREGATES[aggregation.aggregator], aggregation.period
        summed = aggregation.aggregator in SUMMING
        if summed and len(values) > max_any and not are_close(values):
            return None
        buckets = latest_buckets(times // period, values, wanted, aggregate)
        return [Sample(number * period, value) for number, value in buckets]
    if len(parts) > 1:
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
        of_part = np.repeat(np.arange(len(parts)), [len(part[0]) for part in parts])[order]
        if np.any((times[1:] == times[:-1]) & (of_part[1:] != of_part[:-1])):
            return None
    return [*map(Sample, times[-wanted:].tolist()[::-1], values[-wanted:].tolist()[::-1])]
