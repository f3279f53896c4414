"""Large bodies in pieces, so that parsing takes little memory (Protocol Buffers, "Encoding").

A parsed message can take thirty times its bytes, since the shortest one takes two.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from application.errors import BodyTooLarge

PIECE = 1 << 20
"""Bytes that are parsed at once."""

_VARINT, _FIXED64, _LENGTH, _START_GROUP, _END_GROUP, _FIXED32 = range(6)
_SIZES = {_FIXED64: 8, _FIXED32: 4}


def pieces(body: bytes, max_fields: int) -> Iterator[bytes]:
    """Yield a body in pieces of whole fields, each of them a message of the same type.

    Raises BodyTooLarge for more than `max_fields` fields, or a field of more than `PIECE` bytes,
    and DecodeError, both only for bodies that are not parsed at once.
    """
    if len(body) <= PIECE:
        yield body
        return
    start = end = 0
    for number, after in enumerate(_field_ends(body), 1):
        if number > max_fields:
            raise BodyTooLarge(f"the body has more than {max_fields} series and other parts")
        if after - end > PIECE:
            raise BodyTooLarge(f"a series or another part of the body is larger than {PIECE} bytes")
        if after - start > PIECE:
            yield body[start:end]
            start = end
        end = after
    yield body[start:end]


def _field_ends(body: bytes) -> Iterator[int]:
    """Yield the end of each field of a message. Raises DecodeError, also for groups."""
    at, size = 0, len(body)
    while at < size:
        tag, at = _varint(body, at, size)
        wire_type = tag & 7
        if wire_type == _LENGTH:
            length, at = _varint(body, at, size)
            at += length
        elif wire_type == _VARINT:
            _, at = _varint(body, at, size)
        elif wire_type in _SIZES:
            at += _SIZES[wire_type]
        else:
            raise DecodeError("a field has a wire type that is not in use")
        if at > size:
            raise DecodeError("a field is truncated")
        yield at


def _varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number, and the place after it. Raises DecodeError."""
    value = shift = 0
    while at < end and shift < 70:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError("a number is truncated or too long")
