"""`MetricsPublished` to the fields of a stream entry and back. The format: docs/event-format.md.

The payload is columnar: what a batch's points share is written once, numbers are plain arrays.
That is smaller than a row a point, and a replay reads columns without touching single points
(measured in docs/event-format.md).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from application.event_log.ports import UnreadableEvent
from application.event_log.versioned_topics import VersionedTopics
from domain.columns import CodedColumn, code_type, coded
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet, batch_fault, tag_set

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, ZstdError, decompress
else:
    from backports.zstd import ZstdCompressor, ZstdError, decompress

METRIC_TOPICS = VersionedTopics[Mapping[bytes, bytes]]()
METRIC_TOPICS.register("metrics.published")
TOPIC = METRIC_TOPICS.current("metrics.published")
COMPRESS_FROM = 512
"""Payloads of at least this many bytes are compressed; below, zstd saves next to nothing."""

MAX_MEMO = 65_536

_Payload = tuple[list[str], list[msgspec.Raw], bytes, bytes, bytes, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Payload).decode
_decode_tags = msgspec.msgpack.Decoder(dict[str, str]).decode


class _EncodedTags(dict[TagSet, msgspec.Raw]):
    """Tag sets as MessagePack; the same ones come in most batches."""

    def __missing__(self, tags: TagSet) -> msgspec.Raw:
        if len(self) >= MAX_MEMO:
            self.clear()
        encoded = self[tags] = msgspec.Raw(_encode(dict(tags.pairs)))
        return encoded


def origin_fields(event: MetricsPublished) -> tuple[bytes | str, ...]:
    """Return the entry's first fields, all but those of the points: names and values alternating.

    They are the same for all events that a token publishes for an organization or a team.
    """
    return (
        b"topic",
        TOPIC,
        b"organization",
        event.organization,
        b"team",
        event.team or b"",
        b"token",
        event.token_id,
    )


class MetricEncoder:
    """Encodes events' points. Keeps a compressor and a bounded memo of tag sets: for one thread."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=1)
        self._encoded_tags = _EncodedTags()

    def points_fields(self, points: PointBatch) -> tuple[bytes, ...]:
        """Return the fields that tell of the points, names and values alternating."""
        payload = self._payload(points)
        encoding = b""
        if len(payload) >= COMPRESS_FROM:
            payload = self._compressor.compress(payload, ZstdCompressor.FLUSH_FRAME)
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


class MetricDecoder:
    """Decodes events. Keeps a bounded memo of tag sets, the same in most batches; thread-safe."""

    def __init__(self, topics: VersionedTopics[Mapping[bytes, bytes]] = METRIC_TOPICS) -> None:
        self._topics = topics
        self._memo: dict[bytes, TagSet] = {}

    def event(self, fields: Mapping[bytes, bytes]) -> MetricsPublished:
        """Read an entry's fields back. Raises UnreadableEvent."""
        try:
            fields = self._topics.upcast(fields[b"topic"].decode(), fields)[1]
            return MetricsPublished(
                organization=fields[b"organization"].decode(),
                team=fields[b"team"].decode() or None,
                token_id=fields[b"token"].decode(),
                points=self._points(_inflated(fields), int(fields[b"count"])),
            )
        except KeyError as error:
            raise UnreadableEvent(f"the field {error} is missing") from None
        except (ValueError, ZstdError) as error:
            raise UnreadableEvent(str(error)) from error

    def _points(self, payload: bytes, count: int) -> PointBatch:
        names, tag_maps, name_codes, tag_codes, timestamps, values = _decode(payload)
        batch = PointBatch(
            CodedColumn.checked(names, _array(code_type(len(names)), name_codes)),
            _array("q", timestamps),
            _array("d", values),
            CodedColumn.checked(
                [self._tag_set(bytes(tags)) for tags in tag_maps],
                _array(code_type(len(tag_maps)), tag_codes),
            ),
        )
        columns = (batch.names, batch.timestamps, batch.values, batch.tag_sets)
        if {*map(len, columns)} != {count}:
            raise ValueError(f"a column does not have {count} values")
        if fault := batch_fault(batch):
            raise ValueError(fault)
        return batch

    def _tag_set(self, encoded: bytes) -> TagSet:
        try:
            return self._memo[encoded]
        except KeyError:
            if len(self._memo) >= MAX_MEMO:
                self._memo.clear()
            tags = tag_set(_decode_tags(encoded))
            if tags is None:
                raise ValueError("a tag set breaks the rules of tags") from None
            self._memo[encoded] = tags
            return tags


def _inflated(fields: Mapping[bytes, bytes]) -> bytes:
    match fields[b"encoding"]:
        case b"zstd":
            return decompress(fields[b"payload"])
        case b"":
            return fields[b"payload"]
        case other:
            raise ValueError(f"the encoding {other!r} is unknown")


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
    if len(values) == 1:  # times mostly are few
        return values * len(column)
    # NumPy takes them in a tenth of the time that a loop does.
    return array(type_code, np.asarray(values)[np.asarray(column.codes)].tobytes())


def _array(type_code: str, data: bytes) -> array[Any]:
    column: array[Any] = array(type_code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
