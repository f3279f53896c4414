"""What reading needs from outside. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt


class MetricName(Struct, frozen=True):
    """A metric's name with every tag name it was ever seen with, sorted."""

    name: str
    tags: Sequence[str]


class Sample(Struct, frozen=True):
    """A time in milliseconds since the epoch, and a value: a point's, or a bucket's."""

    time: int
    value: float


class Aggregation(Struct, frozen=True):
    """`aggregator` is one of the contract's; `period` is the width of a bucket in milliseconds."""

    aggregator: str
    period: int


class Selection(Struct, frozen=True, kw_only=True):
    """Which points: all of the conditions hold. Times in ms, `start` inclusive, `end` exclusive."""

    organization: str
    team: str | None = None
    metric: str
    tags: Mapping[str, str] = {}
    start: int | None = None
    end: int | None = None


class ReadModel(Protocol):
    """What queries read: the live generations, or copies by label. Thread-safe; calls block.

    Every method raises ProjectionMissing where there is nothing to read yet, StoreUnavailable,
    TooManyQueries, and QueryTooLarge.
    """

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        """Return an owner's metric names, sorted."""

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        """Tell whether an owner ever published under the name."""

    def samples(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        *,
        label: str | None = None,
    ) -> Sequence[Sample]:
        """Return the latest `limit` points or buckets, oldest first.

        Points of one time come in the order of the log. Buckets are aggregated exactly as the
        contract says, all series together. With a label that copy is read, not the live one.
        """

    def samples_at_hand(
        self, selection: Selection, aggregation: Aggregation, limit: int
    ) -> Sequence[Sample] | None:
        """Return buckets as `samples` does if that takes no waiting and little time, else None.

        May be called where nothing may block. Never raises.
        """

    def positions(self, projection: str) -> Mapping[int, int]:
        """Return how far the live generation has read each partition."""

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
        """Yield an owner's points by name, time and log order, in chunks; not limited in time."""


class PointRow(Struct, frozen=True):
    """One point as it can be exported. `time` in milliseconds; `item` is its place in the batch."""

    name: str
    time: int
    value: float
    tags: Mapping[str, str]
    receipt: Receipt
    item: int
