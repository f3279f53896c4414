"""The metric log in memory. Skips: durability, saturation, more than one process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from adapters.event_format.codec import MetricEventCodec
from application.archiving.ports import ArchiverState
from application.clock import Clock
from application.errors import IdempotencyFull, LogError
from application.event_log.partitioning import DEFAULT_PARTITIONS, partition_of
from application.event_log.ports import Entry, EventCodec, Extent, Lost
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from application.publishing.ports import Appended, Idempotency, IdempotencyRecords
from domain.errors import IdempotencyConflict
from domain.events import MetricEvent, MetricsPublished
from domain.idempotency import REPEAT_WINDOW, WINDOW

MAX_RECORDS = 1_000_000
"""The most idempotency keys to remember, by default."""


class MemoryMetricLog:
    """Both sides of the metric log: implements MetricLog, LogHealth, HotLog
    and ArchivedLogServer."""

    def __init__(
        self,
        clock: Clock,
        partitions: int = DEFAULT_PARTITIONS,
        codec: EventCodec | None = None,
        *,
        max_records: int = MAX_RECORDS,
    ) -> None:
        self._clock = clock
        self._max_records = max_records
        self.codec = codec or MetricEventCodec()
        self._partitions: list[list[Entry]] = [[] for _ in range(partitions)]
        self._added = [0] * partitions
        self._leases: dict[int, tuple[str, datetime]] = {}
        self._state: ArchiverState | None = None
        self.max_memory: int | None = None
        self._newest: list[Receipt | None] = [None] * partitions
        self._deleted: list[Receipt | None] = [None] * partitions
        self._lost: list[list[Lost]] = [[] for _ in range(partitions)]
        self.history = "first"
        self._keys: dict[tuple[str, str], tuple[datetime, bytes, Receipt]] = {}

    @property
    def entries(self) -> TieredLog:
        """The log as its readers see it, without an archive."""
        return TieredLog(self, self.codec)

    @property
    def single_server(self) -> bool:
        return True

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        now = self._clock()
        if idempotency is None:
            return Appended(self._append(event, now))
        key = (event.organization, idempotency.key)
        if known := await self.recall(event.organization, idempotency):
            return known
        records = self.idempotency()
        if records.records >= records.limit:
            raise IdempotencyFull(records.limit)
        receipt = self._append(event, now)
        window = REPEAT_WINDOW if idempotency.repeat else WINDOW
        self._keys[key] = (now + window, idempotency.body_digest, receipt)
        return Appended(receipt)

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        seen = self._keys.get((organization, idempotency.key))
        if seen is None or self._clock() >= seen[0]:
            return None
        _, digest, receipt = seen
        if digest != idempotency.body_digest:
            raise IdempotencyConflict.of(idempotency.key)
        return Appended(receipt, replayed=True)

    async def append_together(
        self, events: Sequence[MetricsPublished]
    ) -> Sequence[Receipt | LogError]:
        return [(await self.append(event)).receipt for event in events]

    def idempotency(self) -> IdempotencyRecords:
        """Return how many keys are remembered, and how many may be."""
        now = self._clock()
        self._keys = {key: seen for key, seen in self._keys.items() if now < seen[0]}
        return IdempotencyRecords(len(self._keys), self._max_records)

    def _append(self, event: MetricEvent, now: datetime) -> Receipt:
        partition = partition_of(event.organization, len(self._partitions))
        return self.add(partition, self.codec.encode(event), now)

    def add(self, partition: int, fields: Mapping[bytes, bytes], now: datetime) -> Receipt:
        """Append a raw entry without interpreting it."""
        receipt = Receipt(partition, int(now.timestamp() * 1000), 0)
        last = self._newest[partition]
        if last is not None and last >= receipt:
            receipt = Receipt(partition, last.milliseconds, last.sequence + 1)
        self.put(Entry(receipt, fields))
        return receipt

    def put(self, entry: Entry) -> None:
        """Append an entry at its own place, which must be after the last one."""
        partition = entry.receipt.partition
        self._partitions[partition].append(entry)
        self._added[partition] += 1
        self._newest[partition] = entry.receipt

    async def failures(self) -> Sequence[str]:
        return ()

    def partitions(self) -> int:
        return len(self._partitions)

    def extent(self, partition: int) -> Extent:
        entries = self._partitions[partition]
        return Extent(
            first=entries[0].receipt if entries else None,
            last=entries[-1].receipt if entries else None,
            entries=len(entries),
            added=self._added[partition],
            newest=self._newest[partition],
            deleted=self._deleted[partition],
            tail=entries[-1] if entries else None,
            history=self.history,
            lost=tuple(self._lost[partition]),
        )

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        found = [entry for entry in self._partitions[partition] if entry.receipt.position > after]
        return self.extent(partition), found[:limit]

    def find(self, receipt: Receipt) -> Entry | None:
        entries = self._partitions[receipt.partition]
        return next((entry for entry in entries if entry.receipt == receipt), None)

    def wait_for_entries(self, after: Sequence[int], *, block: bool = True) -> Sequence[int]:  # noqa: ARG002
        """Always return immediately: the appender may be in the same thread."""
        return [p for p, position in enumerate(after) if self.count(p, position)]

    def count(self, partition: int, after: int) -> int:
        return sum(entry.receipt.position > after for entry in self._partitions[partition])

    def note_lost(self, missing: Receipt) -> None:
        partition = missing.partition
        newest = self._newest[partition]
        before = [e.receipt for e in self._partitions[partition] if e.receipt < missing]
        if newest is None or newest < missing:
            before += [] if newest is None else [newest]
            self._newest[partition] = missing
        first = Receipt.at(partition, max((r.position for r in before), default=0) + 1)
        others = [lost for lost in self._lost[partition] if lost.first != first]
        known = [lost.last for lost in self._lost[partition] if lost.first == first]
        self._lost[partition] = sorted(
            [*others, Lost(first, max([missing, *known]))], key=lambda lost: lost.first
        )

    def accept_lost(self, lost: Lost) -> None:
        self._lost[lost.first.partition].remove(lost)

    def lease(self, partition: int, owner: str, seconds: float, *, take_over: bool = False) -> bool:
        now = self._clock()
        holder = self._leases.get(partition)
        if not take_over and holder and holder[0] != owner and holder[1] > now:
            return False
        self._leases[partition] = owner, now + timedelta(seconds=seconds)
        return True

    def trim(self, partition: int, owner: str, first: Receipt, keep: Receipt) -> int:
        holder = self._leases.get(partition)
        entries = self._partitions[partition]
        if holder is None or holder[0] != owner or holder[1] <= self._clock():
            return 0
        if not entries or entries[0].receipt != first:
            return 0
        return self.trim_before(keep)

    def memory(self) -> Sequence[int]:
        return [
            sum(len(name) + len(value) for entry in entries for name, value in entry.fields.items())
            for entries in self._partitions
        ]

    def memory_limit(self) -> int | None:
        return self.max_memory

    def compact(self) -> None:
        """Do nothing: there is no file."""

    def report(self, state: ArchiverState) -> None:
        self._state = state

    def reported(self) -> ArchiverState | None:
        return self._state

    def delete(self, receipt: Receipt) -> None:
        """Delete one entry, as XDEL does."""
        entries = self._partitions[receipt.partition]
        entries.remove(next(entry for entry in entries if entry.receipt == receipt))
        last = self._deleted[receipt.partition]
        self._deleted[receipt.partition] = receipt if last is None else max(last, receipt)

    def trim_before(self, receipt: Receipt) -> int:
        """Remove the entries before a place, as XTRIM does; return how many these were."""
        entries = self._partitions[receipt.partition]
        kept = [entry for entry in entries if entry.receipt >= receipt]
        removed = len(entries) - len(kept)
        entries[:] = kept
        return removed

    def lose(self, partition: int) -> None:
        """Lose a partition's stream, with all that was known of it."""
        self._partitions[partition].clear()
        self._added[partition] = 0
        self._newest[partition] = self._deleted[partition] = None

    def lose_after(self, receipt: Receipt, history: str) -> None:
        """Lose what is behind a place, as a replica has that is promoted; `history` is its own."""
        partition = receipt.partition
        entries = self._partitions[partition]
        kept = [entry for entry in entries if entry.receipt <= receipt]
        self._added[partition] -= len(entries) - len(kept)
        entries[:] = kept
        self._newest[partition] = receipt
        self.history = history
