"""The archived part of one stream."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from hashlib import sha256
from itertools import pairwise
from threading import RLock

from adapters.archive.manifest import FORMAT, Manifest, ManifestEntry, id_of, loss_chain
from adapters.archive.objects import Objects
from adapters.archive.segments import (
    Digest,
    Frame,
    Index,
    encoded,
    entries_of,
    index_of,
    index_size,
)
from application.errors import ArchiveConflict, ArchiveDamaged, LogGap
from application.event_log.archive import End, Loss, OnStep, Segment, Step
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

INDEX_BYTES = 64 << 10
"""Bytes of a segment's end to read at first; most indices are smaller."""

MAX_INDICES = 64
MAX_FRAMES = 4
READ_AHEAD = 2
"""Frames decoded ahead of a reader, in other threads."""


class ObjectStream:
    """Implements the port ArchivedStream. `digest` returns an entry's digest."""

    def __init__(
        self,
        objects: Objects,
        stream: str,
        partition: int,
        digest: Digest,
        on_step: OnStep,
        ahead: Executor,
    ) -> None:
        self._objects = objects
        self._stream = stream
        self._partition = partition
        self._digest = digest
        self._on_step = on_step
        self._ahead = ahead
        self._manifest = Manifest(objects, stream, partition, on_step)
        self._lock = RLock()
        self._loaded = False
        self._indices: OrderedDict[str, Index] = OrderedDict()
        self._frames: OrderedDict[tuple[str, int], Future[list[Entry]]] = OrderedDict()

    def end(self) -> End:
        self._load()
        return self._manifest.contents.end

    def refresh(self) -> End:
        with self._lock:
            self._loaded = True
            self._manifest.refresh()
            return self._manifest.contents.end

    def segments(self) -> Sequence[Segment]:
        self._load()
        return self._manifest.contents.segments

    def losses(self) -> Sequence[Loss]:
        self._load()
        return self._manifest.contents.losses

    def read(self, after: int, limit: int) -> Sequence[Entry]:
        found: list[Entry] = []
        segments = self.segments()
        place = bisect_right(segments, after, key=lambda segment: segment.last.position)
        for segment in segments[place:]:
            try:
                index = self._index(segment)
                found += self._read(segment, index, after, limit - len(found))
            except (LogGap, ArchiveDamaged):
                if found:
                    return found
                raise
            if len(found) >= limit:
                return found
        return found

    def find(self, receipt: Receipt) -> Entry | None:
        segment = self._segment_at(receipt.position)
        if segment is None or segment.first > receipt:
            return None
        for entry in self._read(segment, self._index(segment), receipt.position - 1, 1):
            if entry.receipt == receipt:
                return entry
        return None

    def number_at(self, position: int) -> int:
        segments = self.segments()
        place = bisect_right(segments, position, key=lambda segment: segment.last.position)
        before = segments[place - 1].last_number if place else 0
        if place == len(segments) or segments[place].first.position > position:
            return before
        segment = segments[place]
        number = segment.number - 1
        for frame_place, frame in enumerate(self._index(segment).frames):
            if Receipt(self._partition, *frame.last).position <= position:
                number += frame.entries
                continue
            entries = self._frame(segment, frame_place, frame).result()
            return number + bisect_right(entries, position, key=_position)
        return number

    def entries(self, segment: Segment) -> Iterator[Entry]:
        content = self._objects.get(segment.file)
        if content is None:
            raise _missing(segment)
        if sha256(content).digest() != segment.sha256:
            raise ArchiveDamaged(f"{segment.file} is damaged: its SHA-256 is not the sealed one")
        needed = index_size(segment.file, content, len(content))
        for frame in index_of(segment.file, content[-needed:]).frames:
            part = content[frame.offset : frame.offset + frame.length]
            yield from entries_of(segment.file, self._partition, frame, part)

    def seal(self, entries: Sequence[Entry], now: int) -> Segment:
        with self._lock:
            end = self.end()
            _check_order(end, entries)
            content, index = encoded(self._stream, end.number + 1, end.chain, entries, self._digest)
            segment = self._written(content, index, entries, now)
            self._add(segment)
            return segment

    def accept_loss(self, before: Receipt, entries: int, offset: int, now: int) -> Loss:
        with self._lock:
            end = self.end()
            if before.position <= end.position + 1:
                raise ValueError(f"nothing can be missing before {before}")
            number, previous = self._manifest.next_entry()
            self._manifest.add(
                ManifestEntry(
                    format=FORMAT,
                    kind="loss",
                    number=number,
                    previous=previous,
                    after=None if end.last is None else id_of(end.last),
                    before=id_of(before),
                    entries=entries,
                    offset=offset,
                    chain=loss_chain(end, before, entries).hex(),
                    at=now,
                )
            )
            return self._manifest.contents.losses[-1]

    def rewrite(self, segment: Segment, organization: bytes, now: int) -> Segment | None:
        with self._lock:
            kept = list(self.entries(segment))
            erased = [self._erased(entry, organization) for entry in kept]
            if erased == kept:
                return None
            content, index = encoded(
                self._stream, segment.number, segment.chain_before, erased, self._digest
            )
            if index.chain != segment.chain:
                raise ArchiveDamaged(f"the events of {segment.file} are not those of its chain")
            written = self._written(content, index, erased, now)
            self._add(written, replaces=segment)
            self._objects.delete(segment.file)
            self._frames.clear()
            return written

    def _erased(self, entry: Entry, organization: bytes) -> Entry:
        if entry.erased is not None or entry.fields.get(b"organization") != organization:
            return entry
        return Entry(entry.receipt, {}, self._digest(entry))

    def _written(self, content: bytes, index: Index, entries: Sequence[Entry], now: int) -> Segment:
        """Write a segment's file, and read it back."""
        digest = sha256(content)
        first, last = entries[0].receipt, entries[-1].receipt
        file = f"segments/{self._stream}/{first.event_id}_{last.event_id}_{digest.hexdigest()}.seg"
        self._objects.put(file, content)
        self._on_step(Step.SEGMENT_WRITTEN)
        if self._objects.get(file) != content:
            raise ArchiveDamaged(f"{file} is damaged: it was not stored as it was written")
        self._on_step(Step.SEGMENT_CHECKED)
        return Segment(
            file=file,
            sha256=digest.digest(),
            size=len(content),
            first=first,
            last=last,
            number=index.number,
            entries=len(entries),
            erased=sum(entry.erased is not None for entry in entries),
            chain_before=index.chain_before,
            chain=index.chain,
            digest=self._digest(entries[-1]),
            sealed_at=now,
        )

    def _add(self, segment: Segment, replaces: Segment | None = None) -> None:
        number, previous = self._manifest.next_entry()
        self._manifest.add(
            ManifestEntry(
                format=FORMAT,
                kind="segment" if replaces is None else "rewrite",
                number=number,
                previous=previous,
                file=segment.file,
                sha256=segment.sha256.hex(),
                size=segment.size,
                first=id_of(segment.first),
                last=id_of(segment.last),
                first_number=segment.number,
                entries=segment.entries,
                erased=segment.erased,
                chain_before=segment.chain_before.hex(),
                chain=segment.chain.hex(),
                digest=segment.digest.hex(),
                replaces="" if replaces is None else replaces.sha256.hex(),
                at=segment.sealed_at,
            )
        )

    def _load(self) -> None:
        if not self._loaded:
            self.refresh()

    def _segment_at(self, position: int) -> Segment | None:
        segments = self.segments()
        place = bisect_left(segments, position, key=lambda segment: segment.last.position)
        return segments[place] if place < len(segments) else None

    def _read(self, segment: Segment, index: Index, after: int, limit: int) -> list[Entry]:
        found: list[Entry] = []
        for place, frame in enumerate(index.frames):
            if Receipt(self._partition, *frame.last).position <= after:
                continue
            entries = self._frame(segment, place, frame).result()
            self._read_ahead(segment, index, place)
            start = bisect_right(entries, after, key=_position)
            found += entries[start : start + limit - len(found)]
            if len(found) >= limit:
                break
        return found

    def _read_ahead(self, segment: Segment, index: Index, place: int) -> None:
        for ahead in range(place + 1, min(place + 1 + READ_AHEAD, len(index.frames))):
            self._frame(segment, ahead, index.frames[ahead])

    def _frame(self, segment: Segment, place: int, frame: Frame) -> Future[list[Entry]]:
        key = segment.file, place
        with self._lock:
            known = self._frames.get(key)
            if known is None or (known.done() and known.exception() is not None):
                known = self._ahead.submit(self._decoded, segment, frame)
                self._frames[key] = known
                while len(self._frames) > MAX_FRAMES:
                    self._frames.popitem(last=False)
            self._frames.move_to_end(key)
            return known

    def _decoded(self, segment: Segment, frame: Frame) -> list[Entry]:
        content = self._objects.get_range(segment.file, frame.offset, frame.length)
        if content is None:
            raise _missing(segment)
        return entries_of(segment.file, self._partition, frame, content)

    def _index(self, segment: Segment) -> Index:
        with self._lock:
            if (known := self._indices.get(segment.file)) is not None:
                return known
        content = self._end(segment, min(INDEX_BYTES, segment.size))
        needed = index_size(segment.file, content, segment.size)
        if needed > len(content):
            content = self._end(segment, needed)
        found = index_of(segment.file, content[-needed:])
        with self._lock:
            self._indices[segment.file] = found
            while len(self._indices) > MAX_INDICES:
                self._indices.popitem(last=False)
        return found

    def _end(self, segment: Segment, length: int) -> bytes:
        """Return the last bytes of a segment's file."""
        content = self._objects.get_range(segment.file, segment.size - length, length)
        if content is None:
            raise _missing(segment)
        return content


def _missing(segment: Segment) -> LogGap:
    why = f"the archive's file {segment.file} is missing"
    return LogGap(segment.first, segment.last, segment.entries, why)


def _check_order(end: End, entries: Sequence[Entry]) -> None:
    if not entries:
        raise ValueError("a segment has at least one entry")
    receipts = [entry.receipt for entry in entries]
    if end.last is not None:
        receipts.insert(0, end.last)
    if any(later <= earlier for earlier, later in pairwise(receipts)):
        raise ArchiveConflict("the entries do not follow the end of the archive, in order")


def _position(entry: Entry) -> int:
    return entry.receipt.position
