"""Ports of publishing. Each docstring is a contract."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.events import MetricsPublished
from domain.metric_point import PointBatch


class PointFormat(Protocol):
    """Decodes the bodies of one protocol. For one event loop, which no call blocks for long."""

    async def decode(self, body: bytes, *, latest: int, max_points: int) -> PointBatch:
        """Return a body's points in the order they were sent.

        Their timestamps are in milliseconds since the epoch, converted from whatever unit and
        notation the protocol uses. `latest` is the latest one accepted; `max_points` is the maximum
        number of points (see `application.publishing.limits`). Does not change `body`.

        Raises MalformedBody for a body that is not in the format, InvalidMetrics, which lists the
        faults of its points, and BodyTooLarge for more than `max_points`.
        """


class Idempotency(Struct, frozen=True):
    """A client's key for a batch, with a digest of the body and of the team it is published for."""

    key: str
    body_digest: bytes


class Appended(Struct, frozen=True):
    """The place of a batch in the log. `replayed`: it was already there, with the same key."""

    receipt: Receipt
    replayed: bool = False


class IdempotencyRecords(Struct, frozen=True):
    """How many idempotency keys are remembered, and how many may be."""

    records: int
    limit: int


class MetricLog(Protocol):
    """The writing side of the metric log. For one event loop; no call blocks it."""

    async def append(
        self, event: MetricsPublished, idempotency: Idempotency | None = None
    ) -> Appended:
        """Append one event and return once it is durable.

        The order of concurrent appends is undefined. An append that begins after another one has
        returned comes after it in its partition.

        With `idempotency`, nothing is written if the organization has used the key within the last
        24 h. The first receipt is then returned if the digests are equal, and IdempotencyConflict
        raised if they are not. IdempotencyFull is raised, and nothing written, if the key is new
        and the log remembers as many keys as it may.

        Raises LogUnavailable, LogFull or LogSaturated if nothing was written, OutcomeUnknown if the
        event may or may not have been. Never retries.
        """
