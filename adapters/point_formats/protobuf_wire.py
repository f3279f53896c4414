"""The wire format of protobuf messages, as far as it is read by hand (Protocol Buffers,
"Encoding")."""

from __future__ import annotations

from google.protobuf.message import DecodeError

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
"""Wire types."""


def varint(raw: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number, and the place behind it. Raises DecodeError."""
    value = shift = 0
    while at < end and shift < 70:
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError("a number is truncated or too long")
