"""Reading the metric log as events: by position, by receipt, and by organization."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from application.errors import LogGap, UnknownReceipt
from application.event_log.partitioning import partition_of
from application.event_log.ports import (
    Entry,
    EntryLog,
    ErasedMetrics,
    EventCodec,
    Recorded,
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
    SkippedMetrics,
    UnreadableEvent,
    UnreadableMetrics,
)
from application.event_log.receipts import Receipt
from domain.events import MetricEvent, MetricsDescribed

PAGE = 200
"""Entries per read while looking for an organization's events."""

EPOCH = datetime.fromtimestamp(0, UTC)


class MetricLogReader:
    """Reads the events of `entries`. Thread-safe; every method raises LogUnavailable."""

    def __init__(self, entries: EntryLog, codec: EventCodec) -> None:
        self.entries = entries
        self._codec = codec

    def read(self, partition: int, after: int, limit: int) -> Sequence[Recorded]:
        """Return the first `limit` events of a partition above a position, in log order.

        An entry that cannot be decoded is returned as UnreadableMetrics, an erased one as
        ErasedMetrics.
        """
        return [*map(self._recorded, self.entries.read(partition, after, limit))]

    def read_only(
        self, event: type[MetricEvent] | None, partition: int, after: int, limit: int
    ) -> Sequence[Recorded | SkippedMetrics]:
        """Return what `read` does, but events of other types as SkippedMetrics.

        Those are not decompressed, so they cost next to nothing. None stands for all types.
        """
        return self._only(event, self.entries.read(partition, after, limit))

    def read_from(
        self, event: type[MetricEvent] | None, partition: int, known: int, limit: int
    ) -> Sequence[Recorded | SkippedMetrics]:
        """Return what `read_only` does, from the position of an event on that is known.

        That one comes first, if it is there, as SkippedMetrics, and does not count for `limit`.
        """
        found = self.entries.read(partition, known - 1, limit + 1)
        first = [self._unread(entry) for entry in found[:1]]
        return [*first, *self._only(event, found[1:])]

    def get(self, receipt: Receipt) -> RecordedEvent:
        """Return the event of a receipt. Raises UnknownReceipt, UnreadableEvent."""
        entry = self._entry(receipt)
        if entry is None or entry.erased is not None:
            raise UnknownReceipt(f"no event has the receipt {receipt}")
        return self._readable(entry)

    def has(self, receipt: Receipt, organization: str) -> bool:
        """Return whether the receipt is that of an event of the organization."""
        entry = self._entry(receipt)
        return entry is not None and self._codec.organization(entry.fields) == organization

    def of_organization(
        self, organization: str, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[RecordedEvent]:
        """Yield an organization's events in log order, those recorded from `since` to `until`.

        `since` is inclusive, `until` exclusive, both to the millisecond. Raises UnreadableEvent.
        """
        partition = partition_of(organization, self.entries.partitions())
        first = 0 if since is None else max(0, _milliseconds(since))
        last = None if until is None else _milliseconds(until)
        after = max(0, Receipt(partition, first, 0).position - 1)
        while page := self.entries.read(partition, after, PAGE):
            for entry in page:
                if last is not None and entry.receipt.milliseconds >= last:
                    return
                # Organizations share a partition: skip the others' events before decoding.
                if self._codec.organization(entry.fields) == organization:
                    yield self._readable(entry)
            after = page[-1].receipt.position

    def _entry(self, receipt: Receipt) -> Entry | None:
        """Return the entry of a receipt, None if the log does not have it or has lost it."""
        if receipt.partition >= self.entries.partitions() or receipt.position <= 0:
            return None
        try:
            return self.entries.find(receipt)
        except LogGap:
            return None

    def _only(
        self, wanted: type[MetricEvent] | None, entries: Sequence[Entry]
    ) -> Sequence[Recorded | SkippedMetrics]:
        if wanted is None:
            return [*map(self._recorded, entries)]
        return [
            self._recorded(entry) if self._may_be(wanted, entry) else self._unread(entry)
            for entry in entries
        ]

    def _may_be(self, wanted: type[MetricEvent], entry: Entry) -> bool:
        return entry.erased is not None or self._codec.outline(entry.fields).event in {wanted, None}

    def _unread(self, entry: Entry) -> SkippedMetrics:
        outline = self._codec.outline(entry.fields)
        return SkippedMetrics(entry.receipt, outline, self._codec.digest(entry))

    def _recorded(self, entry: Entry) -> Recorded:
        digest = self._codec.digest(entry)
        if entry.erased is not None:
            return ErasedMetrics(entry.receipt, digest)
        try:
            event = self._codec.decode(entry.fields)
        except UnreadableEvent as error:
            kind = self._codec.outline(entry.fields).event
            return UnreadableMetrics(entry.receipt, str(error), digest, kind)
        if isinstance(event, MetricsDescribed):
            return RecordedDescriptions(entry.receipt, event, digest)
        return RecordedMetrics(entry.receipt, event, digest)

    def _readable(self, entry: Entry) -> RecordedEvent:
        recorded = self._recorded(entry)
        if isinstance(recorded, RecordedEvent):
            return recorded
        reason = recorded.reason if isinstance(recorded, UnreadableMetrics) else "it was erased"
        raise UnreadableEvent(f"cannot read the event {recorded.receipt}: {reason}")


def _milliseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(milliseconds=1)
