"""Request bodies: read and decompressed within limits."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol, Self

from adapters.http.errors import TooManyBodies, UnsupportedMedia
from application.errors import BodyTooLarge, MalformedBody

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ENCODINGS = ("gzip", "deflate", "zstd")

SNAPPY = "snappy"
"""The block format of snappy, as Prometheus' remote write uses it."""

MAX_WINDOW_LOG = 27
"""zstd frames may need a window of up to 128 MiB (RFC 8878 recommends at least 8 MiB)."""

PIECE = 64 * 1024
"""Bytes decompressed at a time. Those that remain after the end of a stream are copied."""

MAX_MEMBERS = 4096
"""Compressed streams in a body: each has a cost, even if it is empty."""

Receive = Callable[[], Awaitable[Any]]


class ClientDisconnected(Exception):
    """The client disconnected before its body was complete, so there is no one to answer."""


class BodyBudget:
    """Bounds the bytes of bodies that a worker holds at a time. For one event loop."""

    def __init__(self, limit: int) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Raises TooManyBodies, taking nothing."""
        if size > self._left:
            raise TooManyBodies("this worker's memory for request bodies is in use; try again")
        self._left -= size

    def give_back(self, size: int) -> None:
        self._left += size


class Holding:
    """One request's share of a budget, given back at the end of the block."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._held = 0

    def take(self, size: int) -> None:
        """Raises TooManyBodies, taking nothing."""
        self._budget.take(size)
        self._held += size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._held)


async def read_body(
    receive: Receive, limit: int, take: Callable[[int], None] = lambda _: None
) -> bytes:
    """Return the body as sent. `take` is called with the bytes of each piece as it arrives.

    Raises BodyTooLarge, ClientDisconnected, and the errors of `take`.
    """
    chunks = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise too_large(limit)
        take(len(chunk))
        chunks.append(chunk)
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit} bytes, the limit for a body as sent")


def content_coding(header: bytes | None, codings: Collection[str] = ENCODINGS) -> str | None:
    """Return the coding that a Content-Encoding header names, None for none or identity.

    Raises UnsupportedMedia for a coding that is not among `codings`, and for a list of several.
    """
    coding = (header or b"").strip().lower().decode("latin-1")
    if coding in ("", "identity"):
        return None
    coding = {"x-gzip": "gzip"}.get(coding, coding)
    if coding not in codings:
        raise UnsupportedMedia(
            f"the content encoding {coding!r} is not supported; use one of {', '.join(codings)}"
        )
    return coding


def inflate(body: bytes, coding: str, limit: int) -> bytes:
    """Return the decompressed body, never holding more than `limit` bytes of it.

    Several gzip members or zstd frames in a row are one body (RFC 1952, RFC 8878). Deflate data may
    have its zlib wrapper (RFC 9110) or, as some clients send it, lack it.
    Raises BodyTooLarge past the limit, MalformedBody if the data is incomplete or invalid.
    """
    if coding == SNAPPY:
        return _inflate_snappy(body, limit)
    chunks = []
    left = limit
    members = 0
    rest = memoryview(body)
    while rest:
        members += 1
        if members > MAX_MEMBERS:
            raise MalformedBody(f"the body has more than {MAX_MEMBERS} {coding} streams in a row")
        stream = _stream(body[:2], coding)
        while not stream.complete:
            if not rest:
                raise MalformedBody(f"the body ends before its {coding} data does")
            piece = rest[:PIECE]
            try:
                chunk, unused = stream.inflate(piece, left + 1)
            except (zlib.error, zstd.ZstdError) as error:
                raise MalformedBody(f"the body is not valid {coding}: {error}") from None
            rest = rest[len(piece) - len(unused) :]
            left -= len(chunk)
            if left < 0:
                raise BodyTooLarge(f"the decompressed body is larger than {limit} bytes, the limit")
            chunks.append(chunk)
        if coding == "deflate" and rest:
            raise MalformedBody("the body has extra bytes after its deflate data")
    return b"".join(chunks)


def _inflate_snappy(body: bytes, limit: int) -> bytes:
    """Return the content of one block (Snappy's format description, not its framing format).

    The block begins with its decompressed length, so nothing larger than `limit` is decompressed.
    """
    import cramjam

    try:
        length = cramjam.snappy.decompress_raw_len(body)
        if length > limit:
            raise BodyTooLarge(f"the decompressed body is larger than {limit} bytes, the limit")
        return bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise MalformedBody(f"the body is not valid snappy: {error}") from None


class _Stream(Protocol):
    """One compressed stream. `inflate` returns at most `max_size` bytes, and unused input."""

    def inflate(self, data: memoryview, max_size: int) -> tuple[bytes, bytes]: ...

    @property
    def complete(self) -> bool: ...


def _stream(body: bytes, coding: str) -> _Stream:
    if coding == "zstd":
        return _ZstdStream()
    if coding == "gzip":
        return _ZlibStream(zlib.MAX_WBITS | 16)
    # A wrapper's first two bytes are a multiple of 31, the low half of the first is 8 (RFC 1950).
    wrapped = body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    return _ZlibStream(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)


class _ZlibStream:
    def __init__(self, window_bits: int) -> None:
        self._stream = zlib.decompressobj(window_bits)

    def inflate(self, data: memoryview, max_size: int) -> tuple[bytes, bytes]:
        return self._stream.decompress(data, max_size), self._stream.unused_data

    @property
    def complete(self) -> bool:
        return self._stream.eof


class _ZstdStream:
    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: MAX_WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(options=options)

    def inflate(self, data: memoryview, max_size: int) -> tuple[bytes, bytes]:
        chunk = self._stream.decompress(data, max_size)
        return chunk, self._stream.unused_data if self._stream.eof else b""

    @property
    def complete(self) -> bool:
        return self._stream.eof
