"""Large protobuf bodies in pieces, before their messages take memory.

A message in memory can take forty times its bytes: the shortest takes two. So no more than `PIECE`
bytes of one message are parsed before its fields are counted, and long lists of data points are
parsed a piece at a time (Protocol Buffers, "Encoding").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import DecodeError

from adapters.point_formats.otlp.messages import DATA, MetricOutline
from adapters.point_formats.protobuf_wire import (
    END_GROUP,
    FIXED32,
    FIXED64,
    LENGTH,
    START_GROUP,
    VARINT,
    varint,
)
from application.errors import BodyTooLarge

PIECE = 1 << 20
"""Bytes of a message that are parsed at once."""

_SIZES = {FIXED64: 8, FIXED32: 4, START_GROUP: 0, END_GROUP: 0}
_DATA_FIELDS = frozenset(MetricOutline.DESCRIPTOR.fields_by_name[name].number for name in DATA)


def check_fields(raw: bytes, limit: int) -> None:
    """Raise BodyTooLarge if a large message has more than `limit` fields. DecodeError if broken."""
    if len(raw) > PIECE:
        for count, _ in enumerate(_fields(raw, 0, len(raw)), 1):
            _check(count, limit)


def pieces(raw: bytes, limit: int) -> Iterator[tuple[int, bytes | None]]:
    """Yield a Metric message in pieces: the index of a piece's first data point, and the piece.

    A piece is a Metric message with the same other fields, or None in place of a data point that is
    too large. Raises BodyTooLarge for more than `limit` data points, and DecodeError.
    """
    if len(raw) <= PIECE:
        yield 0, raw
        return
    count = 0
    for number, start, end in _fields(raw, 0, len(raw)):
        count += 1
        if number in _DATA_FIELDS:
            for _ in _fields(raw, start, end):
                count += 1
                _check(count, limit)
    metric = MetricOutline.FromString(raw)
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    points = getattr(metric, kind).data_points
    sent = [*points]
    del points[:]
    first, size = 0, 0
    for index, point in enumerate(sent):
        size += len(point)
        if size > PIECE:
            if index > first:
                yield first, _with(metric, points, sent[first:index])
            first, size = index, len(point)
        if len(point) > PIECE:
            yield index, None
            first, size = index + 1, 0
    if first < len(sent):
        yield first, _with(metric, points, sent[first:])


def _with(metric: Any, points: Any, sent: list[bytes]) -> bytes:
    """Return the metric with these data points."""
    points.extend(sent)
    piece: bytes = metric.SerializeToString()
    del points[:]
    return piece


def _fields(raw: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of each field's content. Raises DecodeError.

    The fields within a group count as the message's own: here they only need to be counted.
    """
    while at < end:
        tag, at = varint(raw, at, end)
        wire_type = tag & 7
        start = at
        if wire_type == VARINT:
            _, at = varint(raw, at, end)
        elif wire_type == LENGTH:
            length, start = varint(raw, at, end)
            at = start + length
        elif wire_type in _SIZES:
            at += _SIZES[wire_type]
        else:
            raise DecodeError("a field has an unknown wire type")
        if at > end:
            raise DecodeError("a field is truncated")
        yield tag >> 3, start, at


def _check(count: int, limit: int) -> None:
    if count > limit:
        raise BodyTooLarge(f"a message of the body has more than {limit} fields")
