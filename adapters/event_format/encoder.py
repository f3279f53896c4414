"""Encodes `MetricsPublished` to the fields of an entry. The format: docs/event-format.md.

The payload is columnar: names and tag sets that points share are written once, and numbers are
plain arrays. That is smaller than a row per point, and a replay reads whole columns instead of
single points (measured in docs/event-format.md).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Any

import msgspec

from adapters.event_format.compression import COMPRESS_FROM, Compressor
from adapters.event_format.topics import DESCRIBED_TOPIC, TOPIC, TOPIC_OF_FINITE
from domain.columns import CodedColumn, code_type, coded
from domain.events import MetricEvent, MetricsDescribed
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet
from domain.values import all_finite

_encode = msgspec.msgpack.Encoder().encode


def topic_of(event: MetricEvent) -> str:
    """Return the earliest topic that can express the event."""
    if isinstance(event, MetricsDescribed):
        return DESCRIBED_TOPIC
    points = event.points
    return TOPIC_OF_FINITE if points.known_finite or all_finite(points.values) else TOPIC


def origin_fields(event: MetricEvent) -> tuple[bytes | str, ...]:
    """Return the fields that come before those of the content: names and values alternating.

    They are the same for all events of one topic with one token for one organization or team.
    """
    return (
        b"topic",
        topic_of(event),
        b"organization",
        event.organization,
        b"team",
        event.team or b"",
        b"token",
        event.token_id,
    )


class MetricEncoder:
    """Encodes points, for one thread. Keeps a compressor and a bounded memo of tag sets."""

    def __init__(self) -> None:
        self._compressor = Compressor()
        self._encoded_tags = Memo(_encoded_tags, lambda tags, _: 2 * tags.size())

    def points_fields(self, points: PointBatch) -> tuple[bytes, ...]:
        """Return the fields of the points, names and values alternating."""
        payload = self._payload(points)
        encoding = b""
        if len(payload) >= COMPRESS_FROM:
            payload = self._compressor.compress(payload)
            encoding = b"zstd"
        count = b"%d" % len(points)
        return (b"count", count, b"encoding", encoding, b"payload", payload)

    def _payload(self, points: PointBatch) -> bytes:
        names, tag_sets = coded(points.names), coded(points.tag_sets)
        return _encode(
            (
                names.table,
                [*map(self._encoded_tags.__getitem__, tag_sets.table)],
                _little_endian(code_type(len(names.table)), names.codes),
                _little_endian(code_type(len(tag_sets.table)), tag_sets.codes),
                _little_endian("q", points.timestamps),
                _little_endian("d", points.values),
            )
        )


def _encoded_tags(tags: TagSet) -> msgspec.Raw:
    return msgspec.Raw(_encode(dict(tags.pairs)))


def _little_endian(type_code: str, column: Sequence[float]) -> bytes:
    if isinstance(column, CodedColumn):
        column = _plain(type_code, column)
    if not isinstance(column, array) or column.typecode != type_code:
        column = array(type_code, column)
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()


def _plain(type_code: str, column: CodedColumn[float]) -> array[Any]:
    values = array(type_code, column.table)
    if len(values) == 1:  # most batches have few times
        return values * len(column)
    # NumPy is ten times as fast as a loop. Imported here because few columns need it.
    import numpy as np

    return array(type_code, np.asarray(values)[np.asarray(column.codes)].tobytes())
