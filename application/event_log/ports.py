"""What readers of the metric log need from outside. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.events import MetricsPublished


class RecordedMetrics(Struct, frozen=True):
    """An event of the metric log with its receipt.

    `digest` tells it from any other: SHA-256 over its id and all it is made of in the log.
    """

    receipt: Receipt
    event: MetricsPublished
    digest: bytes = b""


class UnreadableMetrics(Struct, frozen=True):
    """An entry of the metric log that is not an event we can read, and why."""

    receipt: Receipt
    reason: str
    digest: bytes = b""


Recorded = RecordedMetrics | UnreadableMetrics


class UnreadableEvent(ValueError):
    """An entry of the log is not an event that can be read; says why."""


class MetricLogReader(Protocol):
    """The read side of the metric log. Thread-safe; every method raises LogUnavailable."""

    def partitions(self) -> int:
        """Return the number of partitions, fixed when the log was created."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        """Return at most `limit` entries of a partition above a position, in log order."""

    def news(self, after: Sequence[int]) -> Sequence[int]:
        """Return the partitions that have an entry above their position.

        `after` has one position a partition. Blocks while there is none, a quarter of a second at
        most.
        """

    def count(self, partition: int, after: int = 0) -> int:
        """Return the number of entries of a partition above a position."""

    def get(self, receipt: Receipt) -> RecordedMetrics:
        """Return the event of a receipt. Raises UnknownReceipt, UnreadableEvent."""

    def last_position(self, partition: int) -> int:
        """Return the position of a partition's last event, 0 while it has none."""

    def of_organization(
        self, organization: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[RecordedMetrics]:
        """Yield an organization's events in log order, by the time they were recorded.

        `since` is inclusive, `until` exclusive, both to the millisecond. Raises UnreadableEvent.
        """
