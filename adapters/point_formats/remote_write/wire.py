"""Large bodies in pieces, so that parsing takes little memory (Protocol Buffers, "Encoding").

A parsed message can take thirty times its bytes, since the shortest one takes two.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import DecodeError

from adapters.point_formats.protobuf_wire import FIXED32, FIXED64, LENGTH, VARINT, varint
from application.errors import BodyTooLarge

PIECE = 1 << 20
"""Bytes that are parsed at once."""

_SIZES = {FIXED64: 8, FIXED32: 4}


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
        tag, at = varint(body, at, size)
        wire_type = tag & 7
        if wire_type == LENGTH:
            length, at = varint(body, at, size)
            at += length
        elif wire_type == VARINT:
            _, at = varint(body, at, size)
        elif wire_type in _SIZES:
            at += _SIZES[wire_type]
        else:
            raise DecodeError("a field has a wire type that is not in use")
        if at > size:
            raise DecodeError("a field is truncated")
        yield at
