"""The format of a segment: frames of entries, and an index at the end.

    magic | frame … | index | SHA-256 of the index | its length (8 bytes, little-endian) | magic

A frame is a Zstandard frame of a MessagePack array of entries, and the index a MessagePack map.
Format 1 has another magic, and no SHA-256 of the index: whoever reads it verifies the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from struct import Struct as Packing

import msgspec
from msgspec import Struct

from adapters.event_format.compression import Compressor, decompress
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import chained
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

MAGIC = b"CAVESEG2"
FORMAT = 2
FRAME_BYTES = 1 << 20
"""Bytes of entries after which a frame ends, before compression."""

FRAME_ENTRIES = 1024
"""Most entries of a frame: as objects, small entries take many times their bytes."""

LEVEL = 3
FOOTER = Packing("<32sQ8s")

MAGIC_1 = b"CAVESEG1"
FOOTER_1 = Packing("<Q8s")

Digest = Callable[[Entry], bytes]
Id = tuple[int, int]


class _RawEntry(Struct, frozen=True, array_like=True, gc=False):
    """An entry as it is stored: its fields, names and values alternating, or its former digest."""

    milliseconds: int
    sequence: int
    fields: list[bytes] | bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_entries = msgspec.msgpack.Decoder(list[_RawEntry]).decode


class Frame(Struct, frozen=True, array_like=True):
    """A frame: its offset and length in the file, its entries, and its length uncompressed.

    `first` and `last` are the ids of the first and the last entry, `entries` is how many there are.
    `size` is 0 in format 1, which does not say.
    """

    offset: int
    length: int
    first: Id
    last: Id
    entries: int
    size: int = 0


class Index(Struct, frozen=True, kw_only=True):
    """The index of a segment: `number` is the first entry's."""

    format: int
    stream: str
    number: int
    chain_before: bytes
    chain: bytes
    frames: tuple[Frame, ...]


class _Format(Struct, frozen=True):
    format: int


_decode_index = msgspec.msgpack.Decoder(Index).decode
_decode_format = msgspec.msgpack.Decoder(_Format).decode


def encoded(
    stream: str, number: int, chain: bytes, entries: Iterable[Entry], digest: Digest
) -> tuple[bytes, Index]:
    """Return the bytes of a segment, and its index.

    `number` is the first entry's, and `chain` the value before it. An erased entry has the digest
    that it keeps.
    """
    compress = Compressor(LEVEL, checksum=True).compress
    parts = [MAGIC]
    frames: list[Frame] = []
    before, offset = chain, len(MAGIC)
    for frame in _framed(entries):
        for entry in frame:
            chain = chained(chain, digest(entry) if entry.erased is None else entry.erased)
        content = _encode([*map(_raw, frame)])
        compressed = compress(content)
        ids = id_of(frame[0].receipt), id_of(frame[-1].receipt)
        frames.append(Frame(offset, len(compressed), *ids, len(frame), len(content)))
        parts.append(compressed)
        offset += len(compressed)
    index = Index(
        format=FORMAT,
        stream=stream,
        number=number,
        chain_before=before,
        chain=chain,
        frames=tuple(frames),
    )
    packed = _encode(index)
    footer = FOOTER.pack(sha256(packed).digest(), len(packed), MAGIC)
    return b"".join([*parts, packed, footer]), index


def index_size(file: str, end: bytes, size: int) -> int:
    """Return how many of the last bytes of a segment of `size` bytes hold its index.

    `end` is at least the footer, unless the segment is shorter. Raises ArchiveDamaged.
    """
    length, _, footer = _footer(file, end)
    needed = length + footer
    if needed > size - len(MAGIC):
        raise ArchiveDamaged(f"{file} has a damaged end: its index would be longer than itself")
    return needed


def index_of(file: str, end: bytes) -> Index:
    """Return the index, given the last bytes of a segment, at least as many as `index_size` says.

    Raises ArchiveDamaged, and LogUnfit if a newer release has written it.
    """
    length, digest, footer = _footer(file, end)
    packed = end[-length - footer : -footer]
    if digest is not None and sha256(packed).digest() != digest:
        raise ArchiveDamaged(f"{file} has a damaged index")
    try:
        found = _decode_format(packed).format
        if (digest is None) != (found == 1):
            raise ArchiveDamaged(f"{file} has a damaged index: it is not of its footer's format")
        if found > FORMAT:
            raise LogUnfit(f"{file} has format {found}: this release reads up to format {FORMAT}")
        return _decode_index(packed)
    except msgspec.MsgspecError as error:
        raise ArchiveDamaged(f"{file} has an index that cannot be read: {error}") from error


def entries_of(file: str, partition: int, frame: Frame, content: bytes) -> list[Entry]:
    """Return the entries of a frame's bytes. Raises ArchiveDamaged."""
    try:
        inflated = decompress(content) if len(content) == frame.length else b""
        found = [_entry(partition, raw) for raw in _decode_entries(inflated)]
    except ValueError as error:  # msgspec's errors are ValueErrors, too
        where = f"the frame at byte {frame.offset} of {file}"
        raise ArchiveDamaged(f"{where} cannot be read: {error}") from error
    ids = [id_of(entry.receipt) for entry in (*found[:1], *found[-1:])]
    if ids != [frame.first, frame.last] or len(found) != frame.entries:
        raise ArchiveDamaged(f"the frame at byte {frame.offset} of {file} has other events")
    return found


def id_of(receipt: Receipt) -> Id:
    """Return an entry's id: milliseconds and sequence."""
    return receipt.milliseconds, receipt.sequence


def _footer(file: str, end: bytes) -> tuple[int, bytes | None, int]:
    """Return the index's length, its SHA-256 unless it is of format 1, and the footer's length."""
    if len(end) >= FOOTER.size and end.endswith(MAGIC):
        digest, length, _ = FOOTER.unpack(end[-FOOTER.size :])
        return length, digest, FOOTER.size
    if len(end) >= FOOTER_1.size and end.endswith(MAGIC_1):
        length, _ = FOOTER_1.unpack(end[-FOOTER_1.size :])
        return length, None, FOOTER_1.size
    raise ArchiveDamaged(f"{file} is cut short or damaged: it does not end as a segment does")


def _entry(partition: int, raw: _RawEntry) -> Entry:
    receipt = Receipt(partition, raw.milliseconds, raw.sequence)
    if isinstance(raw.fields, bytes):
        return Entry(receipt, {}, raw.fields)
    parts = iter(raw.fields)
    return Entry(receipt, dict(zip(parts, parts, strict=True)))


def _raw(entry: Entry) -> _RawEntry:
    receipt = entry.receipt
    if entry.erased is not None:
        return _RawEntry(receipt.milliseconds, receipt.sequence, entry.erased)
    fields = [part for field in entry.fields.items() for part in field]
    return _RawEntry(receipt.milliseconds, receipt.sequence, fields)


def _framed(entries: Iterable[Entry]) -> Iterator[Sequence[Entry]]:
    frame: list[Entry] = []
    size = 0
    for entry in entries:
        frame.append(entry)
        size += sum(len(name) + len(value) for name, value in entry.fields.items())
        if size >= FRAME_BYTES or len(frame) == FRAME_ENTRIES:
            yield frame
            frame, size = [], 0
    if frame:
        yield frame
