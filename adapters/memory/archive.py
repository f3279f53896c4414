"""The archive in memory. Skips: durability, damage, branches of the manifest, bounded memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from threading import RLock

from msgspec.structs import replace

from application.errors import ArchiveConflict, ArchiveDamaged, LogGap, LogUnfit
from application.event_log.archive import (
    End,
    Loss,
    OnStep,
    Segment,
    Step,
    chained,
    ignore_step,
)
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

Digest = Callable[[Entry], bytes]


class _Manifest:
    """What is known of a stream; never changed, but replaced by another one."""

    def __init__(
        self, end: End, segments: tuple[Segment, ...] = (), losses: tuple[Loss, ...] = ()
    ) -> None:
        self.end = end
        self.segments = segments
        self.losses = losses


class MemoryStore:
    """What the archives of several processes share: files by path, and the manifests."""

    def __init__(self) -> None:
        self.lock = RLock()
        self.identity: tuple[str, int] | None = None
        self.segments: dict[str, tuple[Sequence[Entry], int]] = {}
        self.manifests: dict[str, _Manifest] = {}

    def remove(self, file: str) -> None:
        """Lose a segment's file."""
        del self.segments[file]


class MemoryArchive:
    """Implements the port Archive; `digest` returns an entry's digest."""

    def __init__(
        self, digest: Digest, on_step: OnStep = ignore_step, store: MemoryStore | None = None
    ) -> None:
        self.store = store or MemoryStore()
        self._digest = digest
        self._on_step = on_step
        self._streams: dict[str, MemoryStream] = {}

    @property
    def url(self) -> str:
        return "memory"

    def claim(self, log: str, partitions: int) -> None:
        with self.store.lock:
            self.store.identity = self.store.identity or (log, partitions)
            if self.store.identity != (log, partitions):
                raise LogUnfit(f"it is the archive of another log: {self.store.identity}")

    def identity(self) -> tuple[str, int] | None:
        return self.store.identity

    def partition(self, partition: int) -> MemoryStream:
        return self._stream(str(partition), partition)

    def organizations(self) -> MemoryStream:
        return self._stream("organizations", 0)

    def sweep(self, before: int) -> Iterable[str]:
        with self.store.lock:
            named = {s.file for m in self.store.manifests.values() for s in m.segments}
            swept = [
                file
                for file, (_, written) in self.store.segments.items()
                if file not in named and written < before
            ]
            for file in swept:
                self.store.remove(file)
            return swept

    def _stream(self, name: str, partition: int) -> MemoryStream:
        if name not in self._streams:
            self._streams[name] = MemoryStream(
                self.store, name, partition, self._digest, self._on_step
            )
        return self._streams[name]


class MemoryStream:
    """Implements the port ArchivedStream."""

    def __init__(
        self, store: MemoryStore, name: str, partition: int, digest: Digest, on_step: OnStep
    ) -> None:
        self._store = store
        self._name = name
        self._partition = partition
        self._digest_of = digest
        self._on_step = on_step
        self._known: _Manifest | None = None

    def end(self) -> End:
        return self._manifest().end

    def refresh(self) -> End:
        with self._store.lock:
            self._known = self._store.manifests.get(self._name, _Manifest(End()))
        return self._known.end

    def segments(self) -> Sequence[Segment]:
        return self._manifest().segments

    def losses(self) -> Sequence[Loss]:
        return self._manifest().losses

    def read(self, after: int, limit: int) -> Sequence[Entry]:
        found: list[Entry] = []
        for segment in self.segments():
            if segment.last.position <= after:
                continue
            if len(found) == limit:
                break
            try:
                entries = self._entries(segment)
            except LogGap:
                if found:
                    break
                raise
            above = [entry for entry in entries if entry.receipt.position > after]
            found += above[: limit - len(found)]
        return found

    def find(self, receipt: Receipt) -> Entry | None:
        for segment in self.segments():
            if segment.first <= receipt <= segment.last:
                entries = self._entries(segment)
                return next((entry for entry in entries if entry.receipt == receipt), None)
        return None

    def number_at(self, position: int) -> int:
        number = 0
        for segment in self.segments():
            if segment.first.position > position:
                break
            if segment.last.position <= position:
                number = segment.last_number
                continue
            places = [entry.receipt.position for entry in self._entries(segment)]
            number = segment.number - 1 + bisect_right(places, position)
        return number

    def entries(self, segment: Segment) -> Iterator[Entry]:
        yield from self._entries(segment)

    def seal(self, entries: Sequence[Entry], now: int) -> Segment:
        if not entries or any(one.receipt >= other.receipt for one, other in pairwise(entries)):
            raise ValueError("a segment has at least one event, and its events ascend")
        if any(entry.receipt.partition != self._partition for entry in entries):
            raise ValueError("an event is of another partition")
        end = self.refresh()
        if end.last is not None and entries[0].receipt <= end.last:
            raise ArchiveConflict(f"the event {entries[0].receipt} does not follow {end.last}")
        known = self._manifest()
        segment = self._written(entries, end.number + 1, end.chain, now)
        added = End(
            last=segment.last,
            number=segment.last_number,
            digest=segment.digest,
            chain=segment.chain,
            offset=end.offset,
        )
        self._add(known, _Manifest(added, (*known.segments, segment), known.losses))
        return segment

    def accept_loss(self, before: Receipt, entries: int, offset: int, now: int) -> Loss:
        end = self.refresh()
        if before.position <= end.position + 1:
            raise ValueError(f"no event can be missing between {end.last} and {before}")
        known = self._manifest()
        text = f"loss {end.last} {before} {entries}"
        chain = chained(end.chain, sha256(text.encode()).digest())
        loss = Loss(after=end.last, before=before, entries=entries, chain=chain, accepted_at=now)
        last = Receipt.at(self._partition, before.position - 1)
        added = End(last=last, number=end.number + entries, chain=chain, offset=offset)
        self._add(known, _Manifest(added, known.segments, (*known.losses, loss)))
        return loss

    def rewrite(self, segment: Segment, organization: bytes, now: int) -> Segment | None:
        self.refresh()
        known = self._manifest()
        if segment not in known.segments:
            raise ArchiveConflict(f"the segment {segment.file} has been replaced")
        entries = self._entries(segment)
        kept = [self._erased(entry, organization) for entry in entries]
        if kept == list(entries):
            return None
        written = self._written(kept, segment.number, segment.chain_before, now)
        if written.chain != segment.chain:
            raise ArchiveDamaged(f"the events of {segment.file} are not those of its chain")
        segments = tuple(written if s == segment else s for s in known.segments)
        self._add(known, _Manifest(known.end, segments, known.losses))
        self._store.remove(segment.file)
        return written

    def _manifest(self) -> _Manifest:
        if self._known is None:
            self.refresh()
        assert self._known is not None  # noqa: S101  it was refreshed
        return self._known

    def _add(self, known: _Manifest, added: _Manifest) -> None:
        with self._store.lock:
            found = self._store.manifests.get(self._name)
            if found is not known and found is not None:
                raise ArchiveConflict(f"another process has added to {self._name}")
            self._store.manifests[self._name] = added
        self._on_step(Step.MANIFEST_WRITTEN)
        self._known = added
        self._on_step(Step.MANIFEST_CHECKED)

    def _entries(self, segment: Segment) -> Sequence[Entry]:
        found = self._store.segments.get(segment.file)
        if found is not None:
            return found[0]
        self.refresh()
        replaced = [s for s in self.segments() if s.first == segment.first and s != segment]
        if replaced:
            return self._entries(replaced[0])
        why = f"the archive's file {segment.file} is missing"
        raise LogGap(segment.first, segment.last, segment.entries, why)

    def _written(
        self, entries: Sequence[Entry], number: int, chain_before: bytes, now: int
    ) -> Segment:
        chain = chain_before
        for entry in entries:
            chain = chained(chain, self._digest(entry))
        digest = sha256(repr(entries).encode()).digest()
        ends = f"{entries[0].receipt}_{entries[-1].receipt}"
        file = f"segments/{self._name}/{ends}_{digest.hex()}.seg"
        self._store.segments[file] = tuple(entries), now
        self._on_step(Step.SEGMENT_WRITTEN)
        self._on_step(Step.SEGMENT_CHECKED)
        return Segment(
            file=file,
            sha256=digest,
            size=sum(len(value) for entry in entries for value in entry.fields.values()),
            first=entries[0].receipt,
            last=entries[-1].receipt,
            number=number,
            entries=len(entries),
            erased=sum(entry.erased is not None for entry in entries),
            chain_before=chain_before,
            chain=chain,
            digest=self._digest(entries[-1]),
            sealed_at=now,
        )

    def _digest(self, entry: Entry) -> bytes:
        return self._digest_of(entry) if entry.erased is None else entry.erased

    def _erased(self, entry: Entry, organization: bytes) -> Entry:
        if entry.fields.get(b"organization") != organization:
            return entry
        return replace(entry, fields={}, erased=self._digest(entry))
