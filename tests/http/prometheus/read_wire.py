"""Remote read's requests and answers, written and read by hand from the specifications.

Nothing here is shared with the code under test: Protocol Buffers ("Encoding"), Prometheus' remote
read API, and the XOR chunks of its storage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import cramjam

Labels = tuple[tuple[str, str], ...]
Samples = list[tuple[int, int]]
"""Times in ms, and the bits of the values."""

OPERATORS = ("=", "!=", "=~", "!~")
FIRST_INT64, LAST_INT64 = -(1 << 63), (1 << 63) - 1


class Query(NamedTuple):
    """One query: both ends in ms, and matchers as name, operator and value."""

    start: int
    end: int
    matchers: Sequence[tuple[str, str, str]]


class Read(NamedTuple):
    """A series of an answer."""

    labels: Labels
    samples: Samples


def bits_of(value: float) -> int:
    """Return the bits of a value."""
    (bits,) = struct.unpack(">Q", struct.pack(">d", value))
    return int(bits)


def read_request(queries: Iterable[Query], accepted: Iterable[int] = ()) -> bytes:
    """Return a compressed ReadRequest, with hints as Prometheus sends them."""
    body = b"".join(_field(1, _query(query)) for query in queries)
    types = b"".join(map(varint, accepted))
    if types:
        body += _field(2, types)  # packed
    return bytes(cramjam.snappy.compress_raw(body))


def _query(query: Query) -> bytes:
    matchers = b"".join(
        _field(
            3,
            b"\x08" + varint(OPERATORS.index(operator)) + _text(2, name) + _text(3, value),
        )
        for name, operator, value in query.matchers
    )
    hints = b"\x08" + varint(15_000) + _text(2, "rate") + b"\x18" + varint(query.start)
    hints += b"\x20" + varint(query.end)
    return b"\x08" + varint(query.start) + b"\x10" + varint(query.end) + matchers + _field(4, hints)


def read_response(body: bytes) -> list[list[Read]]:
    """Return the series of each query in a compressed ReadResponse."""
    message = bytes(cramjam.snappy.decompress_raw(body))
    return [
        [_time_series(series) for number, series in fields(result) if number == 1]
        for number, result in fields(message)
        if number == 1
    ]


def _time_series(message: bytes) -> Read:
    labels, samples = [], []
    for number, content in fields(message):
        if number == 1:
            labels.append(_label(content))
        else:
            assert number == 2
            parts = dict(fields(content))
            samples.append((_signed(parts.get(2, 0)), int.from_bytes(parts[1], "little")))
    return Read(tuple(labels), samples)


def chunked_responses(body: bytes) -> dict[int, list[Read]]:
    """Return the series by the index of their query, in the order of the frames."""
    found: dict[int, list[Read]] = {}
    at = 0
    while at < len(body):
        size, at = _read_varint(body, at)
        checksum, message = body[at : at + 4], body[at + 4 : at + 4 + size]
        at += 4 + size
        assert len(message) == size
        assert crc32c(message) == int.from_bytes(checksum, "big")
        parts = list(fields(message))
        index = _signed(dict(parts).get(2, 0))
        for number, series in parts:
            if number == 1:
                found.setdefault(index, []).append(_chunked_series(series))
    return found


def _chunked_series(message: bytes) -> Read:
    labels: list[tuple[str, str]] = []
    samples: Samples = []
    for number, content in fields(message):
        if number == 1:
            labels.append(_label(content))
        else:
            parts = dict(fields(content))
            assert parts[3] == 1, "an encoding other than XOR"
            within = list(xor_samples(parts[4]))
            ends = [_signed(parts.get(number, 0)) for number in (1, 2)]
            assert [within[0][0], within[-1][0]] == ends
            assert len(within) <= 120
            samples += within
    return Read(tuple(labels), samples)


def xor_samples(chunk: bytes) -> Iterator[tuple[int, int]]:
    """Yield the samples of an XOR chunk."""
    count = int.from_bytes(chunk[:2], "big")
    bits = _Bits(chunk[2:])
    zigzag = bits.varint()
    time, value = (zigzag >> 1) ^ -(zigzag & 1), bits.take(64)
    distance = leading = trailing = 0
    yield time, value
    for number in range(1, count):
        distance = bits.varint() if number == 1 else distance + _change(bits)
        time += distance
        if bits.take(1):
            if bits.take(1):
                leading = bits.take(5)
                trailing = 64 - leading - (bits.take(6) or 64)
            value ^= bits.take(64 - leading - trailing) << trailing
        yield time, value


def _change(bits: _Bits) -> int:
    ones = 0
    while ones < 4 and bits.take(1):
        ones += 1
    size = (0, 14, 17, 20, 64)[ones]
    found = bits.take(size)
    negative = found > 1 << (size - 1) if ones in (1, 2, 3) else found >> 63
    return found - (1 << size) if negative else found


class _Bits:
    def __init__(self, content: bytes) -> None:
        self._number = int.from_bytes(content, "big")
        self._left = 8 * len(content)

    def take(self, size: int) -> int:
        self._left -= size
        assert self._left >= 0
        return self._number >> self._left & (1 << size) - 1

    def varint(self) -> int:
        found = shift = 0
        while True:
            byte = self.take(8)
            found |= (byte & 0x7F) << shift
            if byte < 0x80:
                return found
            shift += 7


def varint(number: int) -> bytes:
    """Return an int64 as a varint."""
    number &= (1 << 64) - 1
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield each field's number and content; a varint's content is an int."""
    at = 0
    while at < len(message):
        tag, at = _read_varint(message, at)
        content: bytes | int
        match tag & 7:
            case 0:
                content, at = _read_varint(message, at)
            case 1:
                content, at = message[at : at + 8], at + 8
            case 2:
                size, at = _read_varint(message, at)
                content, at = message[at : at + size], at + size
                assert len(content) == size
            case other:
                raise AssertionError(f"wire type {other}")
        yield tag >> 3, content


def crc32c(content: bytes) -> int:
    """Return the CRC-32C (Castagnoli), bit by bit."""
    found = 0xFFFFFFFF
    for byte in content:
        found ^= byte
        for _ in range(8):
            found = found >> 1 ^ (0x82F63B78 if found & 1 else 0)
    return found ^ 0xFFFFFFFF


def _label(message: bytes) -> tuple[str, str]:
    parts = dict(fields(message))
    return parts[1].decode(), parts[2].decode()


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    found = shift = 0
    while True:
        byte = raw[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
        shift += 7


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content
