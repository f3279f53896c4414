"""The metric log in memory. Skips: durability, saturation, more than one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from adapters.event_format.codec import MetricEventCodec
from application.clock import Clock
from application.event_log.partitioning import DEFAULT_PARTITIONS, partition_of
from application.event_log.ports import Entry, EventCodec
from application.event_log.receipts import Receipt
from application.publishing.ports import Appended, Idempotency
from domain.errors import IdempotencyConflict
from domain.events import MetricsPublished
from domain.idempotency import WINDOW


class MemoryMetricLog:
    """Both sides of the metric log: implements MetricLog, LogHealth and EntryLog."""

    def __init__(
        self,
        clock: Clock,
        partitions: int = DEFAULT_PARTITIONS,
        codec: EventCodec | None = None,
    ) -> None:
        self._clock = clock
        self.codec = codec or MetricEventCodec()
        self._partitions: list[list[Entry]] = [[] for _ in range(partitions)]
        self._keys: dict[tuple[str, str], tuple[datetime, bytes, Receipt]] = {}

    async def append(
        self, event: MetricsPublished, idempotency: Idempotency | None = None
    ) -> Appended:
        now = self._clock()
        if idempotency is None:
            return Appended(self._append(event, now))
        key = (event.organization, idempotency.key)
        if (seen := self._keys.get(key)) and now - seen[0] < WINDOW:
            _, digest, receipt = seen
            if digest != idempotency.body_digest:
                raise IdempotencyConflict.of(idempotency.key)
            return Appended(receipt, replayed=True)
        receipt = self._append(event, now)
        self._keys[key] = (now, idempotency.body_digest, receipt)
        return Appended(receipt)

    def _append(self, event: MetricsPublished, now: datetime) -> Receipt:
        partition = partition_of(event.organization, len(self._partitions))
        return self.add(partition, self.codec.encode(event), now)

    def add(self, partition: int, fields: Mapping[bytes, bytes], now: datetime) -> Receipt:
        """Append a raw entry without interpreting it."""
        entries = self._partitions[partition]
        receipt = Receipt(partition, int(now.timestamp() * 1000), 0)
        if entries and entries[-1].receipt >= receipt:
            last = entries[-1].receipt
            receipt = Receipt(partition, last.milliseconds, last.sequence + 1)
        self.put(Entry(receipt, fields))
        return receipt

    def put(self, entry: Entry) -> None:
        """Append an entry at its own place, which must be after the last one."""
        self._partitions[entry.receipt.partition].append(entry)

    async def answers(self) -> bool:
        return True

    def partitions(self) -> int:
        return len(self._partitions)

    def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
        entries = self._partitions[partition]
        return [entry for entry in entries if entry.receipt.position > after][:limit]

    def wait_for_entries(self, after: Sequence[int]) -> Sequence[int]:
        """Always return immediately: the appender may be in the same thread."""
        return [p for p, position in enumerate(after) if self.last_position(p) > position]

    def count(self, partition: int, after: int = 0) -> int:
        return sum(entry.receipt.position > after for entry in self._partitions[partition])

    def first_position(self, partition: int) -> int:
        entries = self._partitions[partition]
        return entries[0].receipt.position if entries else 0

    def last_position(self, partition: int) -> int:
        entries = self._partitions[partition]
        return entries[-1].receipt.position if entries else 0
