"""Protobuf's wire format by hand, written and read (Protocol Buffers, "Encoding")."""

from __future__ import annotations

import struct

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)
MAX_DEPTH = 100

Field = tuple[int, int, int | bytes]
"""A field's number, its wire type, and its content."""


class Malformed(Exception):
    """The bytes are not a message."""


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def text(number: int, content: bytes) -> bytes:
    return varint(number << 3 | LENGTH) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    """Write a field as most writers do: zero is left out."""
    return varint(number << 3 | VARINT) + varint(value) if value else b""


def double(number: int, value: float) -> bytes:
    content = struct.pack("<d", value)
    return varint(number << 3 | FIXED64) + content if any(content) else b""


def doubles(values: list[float]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def fields(content: bytes) -> list[Field]:
    """Read a message's fields; those in groups are dropped. Raises Malformed."""
    found: list[Field] = []
    groups: list[int] = []
    at = 0
    while at < len(content):
        tag, at = _varint(content, at, 5)
        number, wire_type = tag >> 3, tag & 7
        if not 1 <= number < 1 << 29:
            raise Malformed
        value: int | bytes = 0
        match wire_type:
            case 0:
                value, at = _varint(content, at, 10)
            case 1 | 5:
                size = 8 if wire_type == FIXED64 else 4
                value = content[at : at + size]
                at += size
            case 2:
                size, at = _varint(content, at, 5)
                value = content[at : at + size]
                at += size
            case 3:
                groups.append(number)
                if len(groups) > MAX_DEPTH:
                    raise Malformed
            case 4:
                if not groups or groups.pop() != number:
                    raise Malformed
            case _:
                raise Malformed
        if at > len(content):
            raise Malformed
        if not groups and wire_type not in (START_GROUP, END_GROUP):
            found.append((number, wire_type, value))
    if groups:
        raise Malformed
    return found


def varints(content: bytes) -> list[int]:
    """Read packed numbers. Raises Malformed."""
    found, at = [], 0
    while at < len(content):
        value, at = _varint(content, at, 10)
        found.append(value)
    return found


def _varint(content: bytes, at: int, most: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 7 * most, 7):
        if at >= len(content):
            raise Malformed
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (1 << 64) - 1, at
    raise Malformed
