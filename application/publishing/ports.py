"""What publishing needs from outside. Each docstring is a contract."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.events import MetricsPublished
from domain.metric_point import PointBatch


class PointFormat(Protocol):
    """Reads the bodies of one protocol. For one event loop, which no call blocks for long."""

    async def decode(self, body: bytes, *, latest: int, max_points: int) -> PointBatch:
        """Return a body's points, in the order they were sent, times in milliseconds.

        `latest` is the last time accepted, in milliseconds since the epoch; `max_points` the most
        that a batch may have (`application.publishing.limits`). How the protocol gives times and
        in which unit is the format's to know. It never changes what it was given.

        Raises MalformedBody for what is not of the format, InvalidMetrics, which lists what is
        wrong with which points, and BodyTooLarge.
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
