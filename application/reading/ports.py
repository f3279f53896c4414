"""Ports of reading. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.metric_description import MetricDescription


class MetricName(Struct, frozen=True):
    """A metric's name, and every tag name it was ever published with, sorted.

    `description` is None if there is none, or if it was not asked for.
    """

    name: str
    tags: Sequence[str]
    description: MetricDescription | None = None


class Sample(Struct, frozen=True):
    """The value of a point or a bucket, and its time (a bucket's start) in ms since the epoch."""

    time: int
    value: float


class Aggregation(Struct, frozen=True):
    """`aggregator` is one of `query_values.AGGREGATORS`; `period` is a bucket's width in ms."""

    aggregator: str
    period: int


class Selection(Struct, frozen=True, kw_only=True):
    """The points for which all conditions hold.

    `tags` must be among a point's tags. Times are in milliseconds since the epoch, `start`
    inclusive, `end` exclusive. With `team` None, the points are those of the organization itself.
    """

    organization: str
    team: str | None = None
    metric: str
    tags: Mapping[str, str] = {}
    start: int | None = None
    end: int | None = None


class PointQueries(Protocol):
    """Queries on the live projections, or on copies by label. Thread-safe; calls block.

    Unless stated otherwise, every method raises ProjectionMissing if there is nothing to read yet
    or no such copy, StoreUnavailable, and QueryTooLarge. The caller limits concurrent calls.
    """

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        """Return an owner's metric names, sorted by name."""

    def descriptions(self, organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        """Return the last description of each of an owner's metrics that has one, by name.

        A metric may be described without having been published.
        """

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        """Return whether an owner ever published a metric with that name."""

    def samples(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        *,
        label: str | None = None,
    ) -> Sequence[Sample]:
        """Return the latest `limit` points, or buckets if there is an aggregation, oldest first.

        Points whose value is not finite are left out, also of buckets and counts. Points with equal
        times are in log order. A bucket aggregates all points of the selection, exactly, whatever
        their tags; empty buckets are left out. Buckets start at multiples of the period since the
        epoch. With a label, that copy is read instead of the live generation.
        """

    def cached_samples(
        self, selection: Selection, aggregation: Aggregation | None, limit: int
    ) -> Sequence[Sample] | None:
        """Return the same as `samples` if they are available without blocking, else None.

        Can be called on an event loop. Never raises.
        """


class ProjectionPositions(Protocol):
    """How far the live projections have read the log. Thread-safe; calls block."""

    def positions(self, projection: str) -> Mapping[int, int]:
        """Return the position of the last event read, by partition.

        Raises ProjectionMissing if there is nothing to read yet, and StoreUnavailable.
        """


class PointRow(Struct, frozen=True):
    """One point for export.

    `value` is any 64-bit float, as published except that minus zero is zero. `time` is in
    milliseconds since the epoch; `receipt` is that of the point's batch, and `item` its index in
    the batch, from 0.
    """

    name: str
    time: int
    value: float
    tags: Mapping[str, str]
    receipt: Receipt
    item: int


class PointExport(Protocol):
    """Exports the points of an owner. Thread-safe; calls block."""

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
        """Yield an owner's points in chunks, sorted by name, time and log order.

        `start` (inclusive) and `end` (exclusive) are in milliseconds since the epoch. All points
        are read from one state of the projection, or from the copy with the label. There is no
        time limit, and the memory used does not depend on the number of points or names.
        Raises ProjectionMissing if there is nothing to read yet or no such copy, and
        StoreUnavailable.
        """


class PointWriter(Protocol):
    """Writes exported points, chunk by chunk."""

    def write(self, rows: Sequence[PointRow]) -> None:
        """Write points after those written before. Raises OSError."""
