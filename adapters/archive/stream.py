"""The archived part of one stream."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from threading import RLock
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from adapters.archive.manifest import Manifest
from adapters.archive.manifest_entries import (
    Contents,
    loss_entry,
    rewrite_entry,
    segment_entry,
)
from adapters.archive.objects import Objects
from adapters.archive.segment_files import SegmentFiles
from adapters.archive.segments import Digest, Index, encoded, id_of
from application.errors import ArchiveConflict, ArchiveDamaged, LogGap
from application.event_log.archive import End, Loss, OnStep, Segment, Step
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

READERS = 8
"""Most readers of a stream that are recognized as reading it in order."""

Found = TypeVar("Found")


class _View(Struct, frozen=True):
    """What the manifest says, as of the last look."""

    end: End
    segments: tuple[Segment, ...]
    losses: tuple[Loss, ...]


class ObjectStream:
    """Implements the port ArchivedStream, as do all errors of its parts.

    `partition` is that of the receipts, and `digest` returns an entry's digest.
    """

    def __init__(
        self,
        stream: str,
        partition: int,
        objects: Objects,
        manifest: Manifest,
        files: SegmentFiles,
        digest: Digest,
        on_step: OnStep,
    ) -> None:
        self._stream = stream
        self._partition = partition
        self._objects = objects
        self._manifest = manifest
        self._files = files
        self._digest = digest
        self._on_step = on_step
        self._lock = RLock()
        self._known: _View | None = None
        self._seen: tuple[Contents, int] | None = None
        self._ends: deque[int] = deque((0,), maxlen=READERS)

    def end(self) -> End:
        return self._view().end

    def refresh(self) -> End:
        return self._refreshed().end

    def segments(self) -> Sequence[Segment]:
        return self._view().segments

    def losses(self) -> Sequence[Loss]:
        return self._view().losses

    def read(self, after: int, limit: int) -> Sequence[Entry]:
        # Readers that check the entry they have read last begin with it again.
        in_order = after in self._ends or after + 1 in self._ends
        found: list[Entry] = []
        while len(found) < limit and (following := self._following(after)):
            segment = following[0]
            try:
                found += self._files.read(
                    segment, self._partition, after, limit - len(found), in_order=in_order
                )
            except LogGap:
                if self._replaced_by(segment) is not None:
                    continue
                if found:
                    break
                raise
            except ArchiveDamaged:
                if found:
                    break
                raise
            if len(following) > 1 and in_order:
                self._files.prepare(following[1], self._partition)
            after = found[-1].receipt.position if len(found) == limit else segment.last.position
        if found and found[-1].receipt.position not in self._ends:
            self._ends.append(found[-1].receipt.position)
        return found

    def find(self, receipt: Receipt) -> Entry | None:
        def found(segment: Segment) -> Entry | None:
            after = receipt.position - 1
            entries = self._files.read(segment, self._partition, after, 1, in_order=False)
            return entries[0] if entries and entries[0].receipt == receipt else None

        return self._at(receipt.position, found)

    def number_at(self, position: int) -> int:
        segments = self.segments()
        place = bisect_right(segments, position, key=_last_position)
        if place == len(segments) or segments[place].first.position > position:
            return segments[place - 1].last_number if place else 0
        number = self._at(
            position, lambda segment: self._files.number_at(segment, self._partition, position)
        )
        assert number is not None  # noqa: S101  the segment there may be replaced, but never goes
        return number

    def entries(self, segment: Segment) -> Iterator[Entry]:
        try:
            return self._files.verified(segment, self._partition)
        except LogGap:
            if (replaced_by := self._replaced_by(segment)) is None:
                raise
            return self.entries(replaced_by)

    def seal(self, entries: Sequence[Entry], now: int) -> Segment:
        self._check(entries)
        with self._lock:
            end = self.refresh()
            if end.last is not None and entries[0].receipt <= end.last:
                raise ArchiveConflict(
                    f"the event {entries[0].receipt} does not follow {end.last}, the archive's last"
                )
            content, index = encoded(self._stream, end.number + 1, end.chain, entries, self._digest)
            segment = self._written(content, index, entries, now)
            number, previous = self._manifest.next_entry()
            self._manifest.add(segment_entry(segment, number, previous))
            self._look()
            return segment

    def accept_loss(self, before: Receipt, entries: int, offset: int, now: int) -> Loss:
        with self._lock:
            end = self.refresh()
            if before.position <= end.position + 1:
                raise ValueError(f"no event can be missing between {end.last} and {before}")
            number, previous = self._manifest.next_entry()
            self._manifest.add(loss_entry(end, before, entries, offset, now, number, previous))
            return self._look().losses[-1]

    def rewrite(self, segment: Segment, organization: bytes, now: int) -> Segment | None:
        with self._lock:
            view = self._refreshed()
            place = bisect_left(view.segments, segment.first, key=_first)
            if view.segments[place : place + 1] != (segment,):
                raise ArchiveConflict(f"the segment {segment.file} has been replaced")
            known = list(self.entries(segment))
            kept = self._erased_elsewhere(segment, known)
            kept = [self._erased(entry, organization) for entry in kept]
            if kept == known:
                return None
            content, index = encoded(
                self._stream, segment.number, segment.chain_before, kept, self._digest
            )
            if index.chain != segment.chain:
                raise ArchiveDamaged(f"the events of {segment.file} are not those of its chain")
            written = self._written(content, index, kept, now)
            number, previous = self._manifest.next_entry()
            self._manifest.add(rewrite_entry(written, number, previous, segment.sha256))
            self._look()
            self._objects.delete(segment.file)
            return written

    def stale(self) -> Sequence[str]:
        """Return the manifest's files that nobody needs, as of the last `refresh`."""
        with self._lock:
            return self._manifest.stale()

    def _view(self) -> _View:
        return self._known or self._refreshed()

    def _refreshed(self) -> _View:
        with self._lock:
            self._manifest.refresh()
            return self._look()

    def _look(self) -> _View:
        """Return what the manifest now says."""
        contents = self._manifest.contents
        seen = contents, contents.taken
        if self._known is None or self._seen != seen:
            self._seen = seen
            segments, losses = tuple(contents.segments), tuple(contents.losses)
            self._known = _View(contents.end, segments, losses)
        return self._known

    def _following(self, position: int) -> Sequence[Segment]:
        """Return the segment with the first entry above a position, and the one behind it."""
        segments = self.segments()
        place = bisect_right(segments, position, key=_last_position)
        return segments[place : place + 2]

    def _at(self, position: int, find: Callable[[Segment], Found]) -> Found | None:
        """Return what `find` returns for the segment that spans a position, None without one."""
        while True:
            segments = self.segments()
            place = bisect_left(segments, position, key=_last_position)
            if place == len(segments) or segments[place].first.position > position:
                return None
            try:
                return find(segments[place])
            except LogGap:
                if self._replaced_by(segments[place]) is None:
                    raise

    def _replaced_by(self, segment: Segment) -> Segment | None:
        """Return what a segment whose file is missing was rewritten to, None if it was not."""
        segments = self._refreshed().segments
        place = bisect_left(segments, segment.first, key=_first)
        found = segments[place] if place < len(segments) else segment
        return found if found.first == segment.first and found != segment else None

    def _check(self, entries: Sequence[Entry]) -> None:
        if not entries:
            raise ValueError("a segment has at least one event")
        for entry in entries:
            if entry.receipt.partition != self._partition:
                raise ValueError(f"the event {entry.receipt} is of another partition")
        for one, other in pairwise(entries):
            if one.receipt >= other.receipt:
                raise ValueError(f"the event {other.receipt} comes after {one.receipt}")

    def _written(self, content: bytes, index: Index, entries: Sequence[Entry], now: int) -> Segment:
        """Write a segment's file, and read it back."""
        digest = sha256(content)
        first, last = entries[0].receipt, entries[-1].receipt
        name = f"{first.event_id}_{last.event_id}_{digest.hexdigest()}.seg"
        file = f"segments/{self._stream}/{name}"
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
            digest=self._digest_of(entries[-1]),
            sealed_at=now,
        )

    def _digest_of(self, entry: Entry) -> bytes:
        return self._digest(entry) if entry.erased is None else entry.erased

    def _erased(self, entry: Entry, organization: bytes) -> Entry:
        if entry.fields.get(b"organization") != organization:
            return entry
        return Entry(entry.receipt, {}, self._digest_of(entry))

    def _erased_elsewhere(self, segment: Segment, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries without those that another process erased at the same time.

        Two rewrites of one segment are two branches, and only one of them counts.
        """
        kept = list(entries)
        for rewrite in self._manifest.branched_rewrites():
            if (rewrite.first, rewrite.last) != (id_of(segment.first), id_of(segment.last)):
                continue
            other = replace(
                segment,
                file=rewrite.file,
                sha256=bytes.fromhex(rewrite.sha256),
                size=rewrite.size,
                erased=rewrite.erased,
            )
            try:
                rewritten = list(self.entries(other))
            except LogGap:  # replaced and deleted: what replaced it has what it erased
                continue
            kept = [
                theirs if theirs.erased is not None else ours
                for ours, theirs in zip(kept, rewritten, strict=True)
            ]
        return kept


def _first(segment: Segment) -> Receipt:
    return segment.first


def _last_position(segment: Segment) -> int:
    return segment.last.position
