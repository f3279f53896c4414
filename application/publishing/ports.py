"""What publishing needs from outside. Each docstring is a contract."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.events import MetricsPublished


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
