"""Encodes `MetricsPublished` to the fields of an entry. The format: docs/event-format.md.

The payload is columnar: names, tag sets and times that points share are written once, and the rest
are columns of numbers. That is smaller than a row per point, and a replay reads whole columns
instead of single points (measured in docs/event-format.md).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence

import msgspec

from adapters.event_format.codes import little_endian, stored_codes
from adapters.event_format.column_writing import ColumnWriting
from adapters.event_format.compression import COMPRESS_FROM, Compressor
from adapters.event_format.topics import DESCRIBED_TOPIC, TOPIC
from domain.columns import CodedColumn, coded
from domain.events import MetricEvent, MetricsDescribed
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet

_encode = msgspec.msgpack.Encoder().encode
LEVEL = -1
"""Zstandard's. It takes half to two thirds of the time of 1, for payloads at most 3 % larger."""

_FLOATS, _PACKED = b"\x97", b"\x9a"
"""The first byte of a payload: an array of seven elements, or of ten."""

_VALUE = struct.Struct("<d")
_BEFORE_VALUE = b"\xc0\xc0\xc0\xc4\x08"
"""In a payload of one point, what is between its time and its value: no codes, and eight bytes."""


def origin_fields(event: MetricEvent) -> tuple[bytes | str, ...]:
    """Return the fields that come before those of the content: names and values alternating.

    They are the same for all events of one type with one token for one organization or team.
    """
    return (
        b"topic",
        DESCRIBED_TOPIC if isinstance(event, MetricsDescribed) else TOPIC,
        b"organization",
        event.organization,
        b"team",
        event.team or b"",
        b"token",
        event.token_id,
    )


def is_one_point(points: PointBatch) -> bool:
    """Return whether a batch has one point, with a value that is known to be finite."""
    return points.known_finite and len(points.values) == 1


class MetricEncoder:
    """Encodes points, for one thread. Keeps a compressor and a bounded memo of tag sets.

    Columns are written by compiled code with `column_writing`; without it, values stay floats.
    """

    def __init__(self, column_writing: ColumnWriting | None = None) -> None:
        self._column_writing = column_writing
        self._compressor = Compressor(LEVEL)
        self._encoded_tags = Memo(_encoded_tags, lambda tags, _: 2 * tags.size())
        self._series = Memo(_beginning_of_one, lambda series, _: 2 * series[1].size())

    def points_fields(self, points: PointBatch) -> tuple[bytes, ...]:
        """Return the fields of the points, names and values alternating."""
        payload = self.payload(points)
        encoding = b""
        if len(payload) >= COMPRESS_FROM:
            payload = self._compressor.compress(payload)
            encoding = b"zstd"
        count = b"%d" % len(points)
        return (b"count", count, b"encoding", encoding, b"payload", payload)

    def payload(self, points: PointBatch) -> bytes:
        """Return the payload of at least one point, before compression."""
        if is_one_point(points):
            return self.payload_of_one(points)
        names, tag_sets = coded(points.names), coded(points.tag_sets)
        tables = _encode((names.table, [*map(self._encoded_tags.__getitem__, tag_sets.table)]))
        columns, is_packed = self._columns(names, tag_sets, points)
        # What is before the tables says how many elements follow, which is known only now.
        return b"%b%b%b" % (_PACKED if is_packed else _FLOATS, tables[1:], columns)

    def _columns(
        self, names: CodedColumn[str], tag_sets: CodedColumn[TagSet], points: PointBatch
    ) -> tuple[bytes, bool]:
        """Return the elements after the tables of names and tag sets, and if values are packed."""
        values, writing = _floats(points.values), self._column_writing
        if writing is not None and (writer := writing.writer(points)) is not None:
            packs = len(values) >= writing.pack_from
            return writer.written(names, tag_sets, points.timestamps, values, packs=packs)
        distinct = coded(points.timestamps)
        columns = _encode(
            (
                _time_differences(distinct.table),
                stored_codes(names.codes, len(names.table)),
                stored_codes(tag_sets.codes, len(tag_sets.table)),
                stored_codes(distinct.codes, len(distinct.table)),
                little_endian(values),
            )
        )
        return columns[1:], False

    def payload_of_one(self, points: PointBatch) -> bytes:
        """Return the payload of a batch that `is_one_point`, in a third of the usual time."""
        beginning = self._series[points.names[0], points.tag_sets[0]]
        time = _encode(points.timestamps[0])
        return b"%b%b%b%b" % (beginning, time, _BEFORE_VALUE, _VALUE.pack(points.values[0]))


def _beginning_of_one(series: tuple[str, TagSet]) -> bytes:
    """Return a payload of one point up to its time."""
    name, tags = series
    return b"%b%b%b\x91" % (_FLOATS, _encode((name,)), _encode((_encoded_tags(tags),)))


def _encoded_tags(tags: TagSet) -> msgspec.Raw:
    return msgspec.Raw(_encode(dict(tags.pairs)))


def _time_differences(times: Sequence[int]) -> list[int]:
    """Return the first time, then each one's difference from the one before."""
    return [time - before for time, before in zip(times, (0, *times), strict=False)]


def _floats(values: Sequence[float]) -> array[float]:
    if isinstance(values, array) and values.typecode == "d":
        return values
    return array("d", values)
