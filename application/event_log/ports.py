"""Ports for reading the metric log. Each docstring is a contract.

Entries are raw: an `EntryLog` stores them without knowing their meaning, and an `EventCodec`
converts them to events. So the log server, its archive and a log in memory are read alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.errors import LogGap
from application.event_log.receipts import Receipt
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished


class Entry(Struct, frozen=True, gc=False):
    """A raw entry of the log: its place, and its fields in order, unknown ones included.

    Each field name occurs once. If the stored entry has a field twice, the last value counts. An
    entry that was erased has no fields any more, and its former digest as `erased`.
    """

    receipt: Receipt
    fields: Mapping[bytes, bytes]
    erased: bytes | None = None


class EntryLog(Protocol):
    """The entries of the metric log, by partition.

    Positions are those of `application.event_log.receipts`: above 0, strictly ascending within a
    partition, and not comparable across partitions. Thread-safe. Unless stated otherwise, a method
    may block on the log, and raises LogUnavailable if the log cannot be read.
    """

    def partitions(self) -> int:
        """Return the number of partitions, fixed when the log was created. Never blocks."""

    def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
        """Return the first `limit` entries above the position `after`, in log order.

        Returns fewer only if there are no more, or if the next ones are missing. Raises LogGap if
        the very next entry is missing, or may be, so that an entry is never skipped silently, and
        ArchiveDamaged.
        """

    def find(self, receipt: Receipt) -> Entry | None:
        """Return the entry at a place, or None if there is none.

        Raises LogGap if it is known to be missing, and ArchiveDamaged.
        """

    def gap(self, partition: int, *, refresh: bool = True) -> LogGap | None:
        """Return the gap in a partition, or None if all its entries are there.

        Compares what the log's parts say of themselves, without reading entries. If there are
        several gaps, returns the first one. Without `refresh`, what it knows of the archive may
        be old, unless that looks like a gap.
        """

    def wait_for_entries(self, after: Sequence[int]) -> Sequence[int]:
        """Return the partitions that have an entry above their position.

        `after` has one position per partition. Returns immediately if there is such a partition,
        else waits up to a quarter of a second for one. The result may be empty.
        """

    def count(self, partition: int, after: int = 0) -> int:
        """Return the number of entries above the position `after`."""

    def first_position(self, partition: int) -> int:
        """Return the position of the first entry, or 0 if there is none."""

    def last_position(self, partition: int) -> int:
        """Return the position of the last entry, or 0 if there is none."""


class Lost(Struct, frozen=True):
    """Acknowledged events that the log server has lost from its end: those from `first` to `last`.

    Both are inclusive. Not each place between them had an event.
    """

    first: Receipt
    last: Receipt


class Extent(Struct, frozen=True, kw_only=True):
    """What the log server says of the stream of one partition.

    `first` and `last` are its first and its last entry, None if it has none, and `entries` is how
    many it has. `added` is how many were ever added, and `newest` the last of those. `deleted` is
    the last one that was deleted singly, not by trimming, or None. `tail` is the entry at `last`.
    `history` changes whenever the server may have another past than before, if it is another
    process or was promoted, and before anything is appended then. `lost` has the losses that were
    noted and that nobody has accepted.
    """

    first: Receipt | None = None
    last: Receipt | None = None
    entries: int = 0
    added: int = 0
    newest: Receipt | None = None
    deleted: Receipt | None = None
    tail: Entry | None = None
    history: str = ""
    lost: tuple[Lost, ...] = ()


class HotLog(Protocol):
    """The entries on the log server: the newest part of the log. Thread-safe.

    Unless stated otherwise, a method may block on the server, and raises LogUnavailable.
    """

    def partitions(self) -> int:
        """Return the number of partitions, fixed when the log was created. Never blocks."""

    def extent(self, partition: int) -> Extent:
        """Return what the server says of a partition's stream."""

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        """Return the first `limit` entries above a position, and the extent just after that."""

    def find(self, receipt: Receipt) -> Entry | None:
        """Return the entry at a place, or None if the server does not have it."""

    def wait_for_entries(self, after: Sequence[int], *, block: bool = True) -> Sequence[int]:
        """Return the partitions that have an entry above their position on the server.

        `after` has one position per partition. If there is no such entry, waits up to a quarter of
        a second for one, unless `block` is false.
        """

    def count(self, partition: int, after: int) -> int:
        """Return the number of entries on the server above a position."""

    def note_lost(self, missing: Receipt) -> None:
        """Note that an event which was in the log is not there any more, for every process.

        The events between it and the one before it count as lost too. From then on, the server
        gives no event a place at or before it.
        """

    def accept_lost(self, lost: Lost) -> None:
        """Accept a loss that was noted, so that it is not reported any more."""


class UnreadableEvent(ValueError):
    """An entry of the log cannot be decoded as an event; the message says why."""


class Outline(Struct, frozen=True, gc=False):
    """What an entry's fields say without being decoded: the type of its event, and its size.

    The type is None if the topic is unknown. `count` is the number of points or descriptions, at
    least 1.
    """

    event: type[MetricEvent] | None
    count: int


class EventCodec(Protocol):
    """Converts between events and entries of the metric log. Thread-safe; never blocks."""

    def decode(self, fields: Mapping[bytes, bytes]) -> MetricEvent:
        """Return the event that an entry's fields hold. Raises UnreadableEvent."""

    def outline(self, fields: Mapping[bytes, bytes]) -> Outline:
        """Return what an entry holds, without decompressing or decoding it. Never raises."""

    def encode(self, event: MetricEvent) -> Mapping[bytes, bytes]:
        """Return the fields of an entry for the event. `decode` returns an equal event for them."""

    def organization(self, fields: Mapping[bytes, bytes]) -> str | None:
        """Return an entry's organization without decoding the event, or None if it has none.

        Never raises.
        """

    def digest(self, entry: Entry) -> bytes:
        """Return a 32-byte digest of the entry's id and fields.

        Checkpoints store it, so an entry's digest must never change.
        """


class RecordedMetrics(Struct, frozen=True, gc=False):
    """A batch in the metric log, its receipt, and the digest of its entry."""

    receipt: Receipt
    event: MetricsPublished
    digest: bytes = b""


class RecordedDescriptions(Struct, frozen=True, gc=False):
    """Descriptions in the metric log, their receipt, and the digest of their entry."""

    receipt: Receipt
    event: MetricsDescribed
    digest: bytes = b""


class SkippedMetrics(Struct, frozen=True, gc=False):
    """An entry whose event the reader did not ask for, so that it was not decoded."""

    receipt: Receipt
    outline: Outline
    digest: bytes = b""


class UnreadableMetrics(Struct, frozen=True, gc=False):
    """An entry of the metric log that cannot be decoded, and why.

    `event` is the type of its event by its topic, or None if that is unknown too.
    """

    receipt: Receipt
    reason: str
    digest: bytes = b""
    event: type[MetricEvent] | None = None


class ErasedMetrics(Struct, frozen=True, gc=False):
    """An entry of the metric log whose event was erased: its place and its digest are left."""

    receipt: Receipt
    digest: bytes = b""


RecordedEvent = RecordedMetrics | RecordedDescriptions
Recorded = RecordedEvent | UnreadableMetrics | ErasedMetrics
