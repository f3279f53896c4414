"""The format of a segment: frames of entries, and an index at the end.

    magic | frame … | index | length of the index (8 bytes, little-endian) | magic

A frame is a Zstandard frame of a MessagePack array of entries, and the index a MessagePack map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from struct import Struct as Packing

import msgspec
from msgspec import Struct

from adapters.event_format.compression import Compressor, decompress
from application.errors import ArchiveDamaged
from application.event_log.archive import chained
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

MAGIC = b"CAVESEG1"
FORMAT = 1
FRAME_BYTES = 1 << 20
"""Bytes of entries per frame, before compression, unless a single entry has more."""

LEVEL = 3
FOOTER = Packing("<Q8s")

Digest = Callable[[Entry], bytes]

_RawEntry = tuple[int, int, list[bytes] | bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode_entries = msgspec.msgpack.Decoder(list[_RawEntry]).decode


class Frame(Struct, frozen=True, array_like=True):
    """A frame: its place in the file, its first and last entry's ids, and how many it has."""

    offset: int
    length: int
    first: tuple[int, int]
    last: tuple[int, int]
    entries: int


class Index(Struct, frozen=True, kw_only=True):
    """The index of a segment: what the manifest says of it, and its frames."""

    format: int
    stream: str
    number: int
    chain_before: bytes
    chain: bytes
    frames: tuple[Frame, ...]


_decode_index = msgspec.msgpack.Decoder(Index).decode


def encoded(
    stream: str, number: int, chain: bytes, entries: Iterable[Entry], digest: Digest
) -> tuple[bytes, Index]:
    """Return the bytes of a segment, and its index.

    `number` is the first entry's, and `chain` the value before it.
    """
    compressor = Compressor(LEVEL, checksum=True)
    parts = [MAGIC]
    frames: list[Frame] = []
    before, size = chain, len(MAGIC)
    for frame in _framed(entries):
        for entry, _ in frame:
            chain = chained(chain, digest(entry))
        compressed = compressor.compress(_encode([raw for _, raw in frame]))
        frames.append(Frame(size, len(compressed), frame[0][1][:2], frame[-1][1][:2], len(frame)))
        parts.append(compressed)
        size += len(compressed)
    index = Index(
        format=FORMAT,
        stream=stream,
        number=number,
        chain_before=before,
        chain=chain,
        frames=tuple(frames),
    )
    packed = _encode(index)
    return b"".join([*parts, packed, FOOTER.pack(len(packed), MAGIC)]), index


def index_size(file: str, end: bytes, size: int) -> int:
    """Return how many of the last bytes of a segment of `size` bytes hold its index.

    `end` is at least the footer, unless the segment is shorter. Raises ArchiveDamaged.
    """
    if len(end) < FOOTER.size or size < len(MAGIC) + FOOTER.size:
        raise ArchiveDamaged(f"{file} is cut short: it has {size} bytes")
    length, magic = FOOTER.unpack(end[-FOOTER.size :])
    if magic != MAGIC:
        raise ArchiveDamaged(f"{file} does not end as a segment does")
    needed = int(length) + FOOTER.size
    if needed > size - len(MAGIC):
        raise ArchiveDamaged(f"{file} has an index longer than itself")
    return needed


def index_of(file: str, end: bytes) -> Index:
    """Return the index, given the bytes that hold it. Raises ArchiveDamaged."""
    try:
        index = _decode_index(end[: -FOOTER.size])
    except msgspec.MsgspecError as error:
        raise ArchiveDamaged(f"the index of {file} cannot be read: {error}") from error
    if index.format > FORMAT:
        raise ArchiveDamaged(f"{file} has format {index.format}; this release reads {FORMAT}")
    return index


def entries_of(file: str, partition: int, frame: Frame, content: bytes) -> list[Entry]:
    """Return the entries of a frame's bytes. Raises ArchiveDamaged."""
    if len(content) != frame.length:
        raise ArchiveDamaged(f"{file} is cut short: a frame of {frame.length} bytes is not whole")
    try:
        found = _decode_entries(decompress(content))
    except ValueError as error:
        place = f"the frame at byte {frame.offset} of {file}"
        raise ArchiveDamaged(f"{place} cannot be read: {error}") from error
    if len(found) != frame.entries or (found[0][:2], found[-1][:2]) != (frame.first, frame.last):
        raise ArchiveDamaged(f"the frame at byte {frame.offset} of {file} has other entries")
    return [_entry(partition, raw) for raw in found]


def _entry(partition: int, raw: _RawEntry) -> Entry:
    milliseconds, sequence, fields = raw
    receipt = Receipt(partition, milliseconds, sequence)
    if isinstance(fields, bytes):
        return Entry(receipt, {}, fields)
    return Entry(receipt, dict(zip(fields[::2], fields[1::2], strict=True)))


def _raw(entry: Entry) -> _RawEntry:
    receipt = entry.receipt
    if entry.erased is not None:
        return receipt.milliseconds, receipt.sequence, entry.erased
    fields = [part for field in entry.fields.items() for part in field]
    return receipt.milliseconds, receipt.sequence, fields


def _framed(entries: Iterable[Entry]) -> Iterator[Sequence[tuple[Entry, _RawEntry]]]:
    frame: list[tuple[Entry, _RawEntry]] = []
    size = 0
    for entry in entries:
        raw = _raw(entry)
        frame.append((entry, raw))
        size += len(raw[2]) if isinstance(raw[2], bytes) else sum(map(len, raw[2]))
        if size >= FRAME_BYTES:
            yield frame
            frame, size = [], 0
    if frame:
        yield frame
