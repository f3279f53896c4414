"""What readers of the metric log need from outside. Each docstring is a contract.

Entries are raw: an `EntryLog` knows where they are and nothing of what they mean, which is the
`EventCodec`'s to say. So the log's server, its archive and a log in memory are read alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from domain.events import MetricsPublished


class Entry(Struct, frozen=True):
    """A raw entry of the log: its place, and its fields, known or not, in their order.

    A field's name occurs once; an entry that has it twice counts with the last value.
    """

    receipt: Receipt
    fields: Mapping[bytes, bytes]


class EntryLog(Protocol):
    """The entries of the metric log, by partition.

    Positions are those of `application.event_log.receipts`: above 0, strictly ascending within a
    partition, and without meaning across partitions. Thread-safe; every method may block on the
    log and raises LogUnavailable where it cannot be read.
    """

    def partitions(self) -> int:
        """Return the number of partitions, fixed when the log was created. Never blocks."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
        """Return the first `limit` entries above a position, in log order.

        Fewer only if there are no more.
        """

    def wait_for_entries(self, after: Sequence[int]) -> Sequence[int]:
        """Return the partitions that have an entry above their position.

        `after` has one position per partition. Returns at once if there is one, else blocks for
        one, a quarter of a second at most.
        """

    def count(self, partition: int, after: int = 0) -> int:
        """Return the number of entries above a position."""

    def first_position(self, partition: int) -> int:
        """Return the position of the first entry, 0 while there is none."""

    def last_position(self, partition: int) -> int:
        """Return the position of the last entry, 0 while there is none."""


class UnreadableEvent(ValueError):
    """An entry of the log is not an event that can be read; says why."""


class EventCodec(Protocol):
    """What the entries of the metric log mean. Thread-safe; never blocks."""

    def decode(self, fields: Mapping[bytes, bytes]) -> MetricsPublished:
        """Return the event that an entry's fields are. Raises UnreadableEvent."""

    def encode(self, event: MetricsPublished) -> Mapping[bytes, bytes]:
        """Return the fields of an entry that `decode` reads back as an equal event."""

    def organization(self, fields: Mapping[bytes, bytes]) -> str | None:
        """Return whose event it is, without decoding it; None if the entry does not say."""

    def digest(self, entry: Entry) -> bytes:
        """Return 32 bytes that differ for any other id or any other fields.

        Checkpoints keep it, so it must stay the same for an entry for ever.
        """


class RecordedMetrics(Struct, frozen=True):
    """An event of the metric log with its receipt, and the digest of its entry."""

    receipt: Receipt
    event: MetricsPublished
    digest: bytes = b""


class UnreadableMetrics(Struct, frozen=True):
    """An entry of the metric log that is not an event we can read, and why."""

    receipt: Receipt
    reason: str
    digest: bytes = b""


Recorded = RecordedMetrics | UnreadableMetrics
