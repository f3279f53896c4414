"""Reading segments: their indices and frames, the latter ahead of who reads in order."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from hashlib import sha256
from itertools import chain

from adapters.archive.cache import Cache
from adapters.archive.objects import Objects
from adapters.archive.segments import (
    FRAME_BYTES,
    Frame,
    Index,
    entries_of,
    id_of,
    index_of,
    index_size,
)
from application.errors import ArchiveDamaged, LogError, LogGap
from application.event_log.archive import Segment
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

INDEX_BYTES = 16 << 10
"""Bytes of a segment's end to read at first; most indices are smaller."""

CHUNK_BYTES = 512 << 10
"""Least bytes to read at once ahead of a reader, as far as there are as many: several frames."""

READ_AHEAD = 2
"""Frames decoded ahead of a reader, in other threads."""

FRAMES_CACHE = 64 << 20
CHUNKS_CACHE = 16 << 20
INDICES_CACHE = 128
"""Indices that are kept, of some kilobytes each."""

ENTRY_OVERHEAD = 1000
"""Bytes of memory of a decoded entry beside those of its fields."""

PIECE_BYTES = 8 << 20
"""Bytes to read at once while a whole segment is verified."""

VERIFIED_BYTES = 64 << 20
"""Largest segment that is kept in memory while it is verified; larger ones are read twice."""

ReadRange = Callable[[int, int], bytes]
"""Returns the bytes of a segment from an offset on, of a length."""


class SegmentFiles:
    """The segments' files of an archive. Thread-safe.

    `partition` is that of the receipts. Unless stated otherwise, methods raise LogGap if the file
    is missing, ArchiveDamaged, ArchiveUnavailable, and LogUnfit for files of a newer release.
    """

    def __init__(self, objects: Objects, ahead: Executor) -> None:
        self._objects = objects
        self._ahead = ahead
        self._indices = Cache[Index](INDICES_CACHE)
        self._chunks = Cache[bytes](CHUNKS_CACHE)
        self._frames = Cache[list[Entry]](FRAMES_CACHE)

    def read(
        self, segment: Segment, partition: int, after: int, limit: int, *, in_order: bool
    ) -> list[Entry]:
        """Return the first `limit` entries of a segment above a position, fewer at its end.

        With `in_order`, the frames that follow are decoded meanwhile.
        """
        index = self._index(segment)
        found: list[Entry] = []
        place = _place(index, after)
        while place < len(index.frames) and len(found) < limit:
            entries = self._frame(segment, index, partition, place, in_order=in_order)
            start = bisect_right(entries, after, key=_position) if not found else 0
            found += entries[start : start + limit - len(found)]
            place += 1
        if in_order:
            for ahead in range(place, min(place + READ_AHEAD, len(index.frames))):
                self.prepare(segment, partition, ahead)
        return found

    def prepare(self, segment: Segment, partition: int, place: int = 0) -> None:
        """Decode a frame of a segment in another thread. Raises nothing."""
        if (segment.file, place) not in self._frames:
            self._ahead.submit(self._prepare, segment, partition, place)

    def number_at(self, segment: Segment, partition: int, position: int) -> int:
        """Return the number of the last entry at or below a position within the segment."""
        index = self._index(segment)
        place = _place(index, position)
        number = segment.number - 1 + sum(frame.entries for frame in index.frames[:place])
        if place == len(index.frames):
            return number
        entries = self._frame(segment, index, partition, place, in_order=False)
        return number + bisect_right(entries, position, key=_position)

    def verified(self, segment: Segment, partition: int) -> Iterator[Entry]:
        """Return all entries, once the file's bytes are known to be those that were sealed."""
        read = self._verified_bytes(segment)
        frames = _read_index(segment, read).frames
        return chain.from_iterable(
            entries_of(segment.file, partition, frame, read(frame.offset, frame.length))
            for frame in frames
        )

    def _verified_bytes(self, segment: Segment) -> ReadRange:
        digest = sha256()
        kept = []
        offset = 0
        # One byte more than it should have, to notice a file that is longer.
        while offset <= segment.size and (piece := self._range(segment, offset, PIECE_BYTES)):
            digest.update(piece)
            offset += len(piece)
            if segment.size <= VERIFIED_BYTES:
                kept.append(piece)
        if digest.digest() != segment.sha256:
            raise ArchiveDamaged(
                f"{segment.file} is damaged: its content is not what was sealed, "
                f"and it has {offset:,} bytes of {segment.size:,}"
            )
        if not kept:
            return partial(self._range, segment)
        content = memoryview(b"".join(kept))
        return lambda start, length: bytes(content[start : start + length])

    def _index(self, segment: Segment) -> Index:
        def made() -> Index:
            index = _read_index(segment, partial(self._range, segment))
            if index.format == 1:  # without a SHA-256 of its own
                return _read_index(segment, self._verified_bytes(segment))
            return index

        return self._indices.get(segment.file, made)

    def _frame(
        self, segment: Segment, index: Index, partition: int, place: int, *, in_order: bool
    ) -> list[Entry]:
        frame = index.frames[place]

        def decoded() -> list[Entry]:
            if in_order:
                content = self._chunked(segment, index, place)
            else:
                content = self._range(segment, frame.offset, frame.length)
            return entries_of(segment.file, partition, frame, content)

        size = (frame.size or FRAME_BYTES) + ENTRY_OVERHEAD * frame.entries
        return self._frames.get((segment.file, place), decoded, size)

    def _chunked(self, segment: Segment, index: Index, place: int) -> bytes:
        """Return a frame's bytes, read together with the frames around it."""
        frame = index.frames[place]
        start, end = _chunk(index.frames, place)
        chunk = self._chunks.get(
            (segment.file, start), lambda: self._range(segment, start, end - start), end - start
        )
        return chunk[frame.offset - start :][: frame.length]

    def _prepare(self, segment: Segment, partition: int, place: int) -> None:
        try:
            index = self._index(segment)
            self._frame(segment, index, partition, place, in_order=True)
        except LogError:
            return  # raised where it is read

    def _range(self, segment: Segment, start: int, length: int) -> bytes:
        content = self._objects.get_range(segment.file, start, length)
        if content is None:
            why = f"the archive's file {segment.file} is missing"
            raise LogGap(segment.first, segment.last, segment.entries, why)
        return content


def _read_index(segment: Segment, read: ReadRange) -> Index:
    length = min(INDEX_BYTES, segment.size)
    end = read(segment.size - length, length)
    needed = index_size(segment.file, end, segment.size)
    if needed > length:
        end = read(segment.size - needed, needed)
    found = index_of(segment.file, end)
    if not _is_of(found, segment):
        raise ArchiveDamaged(f"{segment.file} is not the segment that the manifest describes")
    return found


def _is_of(index: Index, segment: Segment) -> bool:
    frames = index.frames
    return bool(frames) and (
        index.number,
        index.chain_before,
        index.chain,
        frames[0].first,
        frames[-1].last,
        sum(frame.entries for frame in frames),
    ) == (
        segment.number,
        segment.chain_before,
        segment.chain,
        id_of(segment.first),
        id_of(segment.last),
        segment.entries,
    )


def _chunk(frames: Sequence[Frame], place: int) -> tuple[int, int]:
    """Return where the chunk with a frame begins and ends. Each frame is in one chunk."""
    start = frames[0].offset
    for number, frame in enumerate(frames):
        end = frame.offset + frame.length
        if end - start >= CHUNK_BYTES or number == len(frames) - 1:
            if number >= place:
                return start, end
            start = end
    raise IndexError(place)


def _place(index: Index, after: int) -> int:
    """Return the place of the frame that has the first entry above a position."""
    return bisect_right(index.frames, after, key=_last_position)


def _last_position(frame: Frame) -> int:
    return Receipt(0, *frame.last).position


def _position(entry: Entry) -> int:
    return entry.receipt.position
