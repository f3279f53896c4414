"""What the use cases need from outside. Each docstring is the contract its adapters keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from application.receipts import Receipt
from domain.events import MetricsPublished, OrganizationEvent
from domain.organization import Organization

Clock = Callable[[], datetime]
"""Tells the time, aware and in UTC."""


class OrganizationRepository(Protocol):
    """Organizations by name, event-sourced. Thread-safe; every method may block on the log.

    Any method raises LogUnavailable (or LogFull, OutcomeUnknown) where the log cannot serve.
    """

    def find(self, name: str) -> Organization | None:
        """Return the organization as its events tell it now, or None."""

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        """Append the events, all or none, durably before it returns.

        Raises VersionConflict where an event's version is not the next one of its aggregate.
        """


class RecordedOrganizationEvent(Struct, frozen=True):
    """An organization's event and its position in the organizations' log (1, 2, 3, …)."""

    position: int
    event: OrganizationEvent


class OrganizationLog(Protocol):
    """The log of all organizations' events, in the order they were recorded.

    Used by one thread at a time.
    """

    def read(self, after: int, limit: int) -> Sequence[RecordedOrganizationEvent]:
        """Return at most `limit` events with positions above `after`, at once.

        Raises LogUnavailable.
        """

    def last_position(self) -> int:
        """Return the position of the last event, 0 while there is none; for any thread.

        Raises LogUnavailable.
        """

    def wait(self, after: int) -> None:
        """Block until there is an event above `after`, a quarter of a second at most.

        Raises LogUnavailable. Returning tells that the log answers, not that there is an event.
        """


class Idempotency(Struct, frozen=True):
    """A client's key for a batch, with the digest of the body it goes with (and where to)."""

    key: str
    body_digest: bytes


class Appended(Struct, frozen=True):
    """Where a batch is in the log. `replayed`: it was there already, under the same key."""

    receipt: Receipt
    replayed: bool = False


class MetricLog(Protocol):
    """The append side of the metric log. For one event loop; no call blocks it."""

    async def append(
        self, event: MetricsPublished, idempotency: Idempotency | None = None
    ) -> Appended:
        """Append one event and return once it is durable.

        Concurrent appends are in no order among each other; one that begins after another
        returned comes after it in its partition. With `idempotency` the event is appended unless
        the organization used the key within the last 24 h: then nothing is written and the first
        receipt returned, or IdempotencyConflict raised if that was for another body.

        Raises LogUnavailable, LogFull or LogSaturated where nothing was written, OutcomeUnknown
        where that cannot be told. Never retries by itself.
        """


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
