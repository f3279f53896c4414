"""Partitions whose event ids are about to run out, because the server's clock is behind.

An event's position has 20 bits for the sequence number of its id. The server counts sequence
numbers up as long as its clock is not past the milliseconds of its last id, normally for less than
a millisecond. If its clock was set back, or a replica with a slower clock took over, it goes on
until the clock has caught up. An event beyond the last sequence number would be unreadable.
"""

from __future__ import annotations

from application.event_log.receipts import SEQUENCE_LIMIT, Receipt

SAFE_SEQUENCES = SEQUENCE_LIMIT // 2
"""From this sequence number on, nothing more is sent; the rest is for what is on its way."""


class SequenceGuard:
    """Remembers, for each partition whose sequence numbers run out, its last event."""

    def __init__(self) -> None:
        self._last: dict[int, Receipt] = {}

    def __bool__(self) -> bool:
        """Whether any partition is concerned: almost never."""
        return bool(self._last)

    def saw(self, last: Receipt) -> None:
        """Take note of a partition's last event."""
        if last.sequence >= SAFE_SEQUENCES:
            known = self._last.get(last.partition, last)
            self._last[last.partition] = max(known, last)

    def last(self, partition: int) -> Receipt | None:
        """Return the last event of a partition whose sequence numbers run out, else None."""
        return self._last.get(partition)

    def passed(self, last: Receipt, milliseconds: int) -> None:
        """Forget an event once the server's clock, in milliseconds, is past it."""
        if milliseconds > last.milliseconds and self._last.get(last.partition) == last:
            del self._last[last.partition]

    def forget(self, partition: int) -> None:
        """Forget a partition's last event, as when its server may be another one."""
        self._last.pop(partition, None)
