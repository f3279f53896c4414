"""`MetricsPublished` to the fields of a stream entry and back. The format: docs/event-format.md.

The payload is columnar: what a batch's points share is written once, numbers are plain arrays.
That is smaller than a row a point, and a replay reads columns without touching single points
(measured in docs/event-format.md).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from domain.events import MetricsPublished
from domain.metric_point import PointBatch, TagSet

if sys.version_info >= (3, 14):
    from compression.zstd import ZstdCompressor, decompress
else:
    from backports.zstd import ZstdCompressor, decompress

TOPIC = b"metrics.published.v1"
COMPRESS_FROM = 512
"""Payloads of at least this many bytes are compressed; below, zstd saves next to nothing."""

MAX_MEMO = 65_536

_T = TypeVar("_T")
_Payload = tuple[list[str], list[dict[str, str]], bytes, bytes, bytes, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Payload).decode


class MetricEncoder:
    """Encodes events. Keeps a compressor and a bounded memo of tag sets: for one thread."""

    def __init__(self) -> None:
        self._compressor = ZstdCompressor(level=1)
        self._memo: dict[TagSet, msgspec.Raw] = {}

    def fields(self, event: MetricsPublished) -> tuple[bytes | str, ...]:
        """Return the entry's field names and values, alternating."""
        points = event.points
        payload = self._payload(points)
        encoding = b""
        if len(payload) >= COMPRESS_FROM:
            payload = self._compressor.compress(payload, ZstdCompressor.FLUSH_FRAME)
            encoding = b"zstd"
        return (
            b"topic",
            TOPIC,
            b"organization",
            event.organization,
            b"team",
            event.team or b"",
            b"token",
            event.token_id,
            b"count",
            b"%d" % len(points),
            b"encoding",
            encoding,
            b"payload",
            payload,
        )

    def _payload(self, points: PointBatch) -> bytes:
        names = _numbered(points.names)
        tag_sets = _numbered(points.tag_sets)
        return _encode(
            (
                list(names),
                list(map(self._encoded, tag_sets)),
                _indices(names, points.names),
                _indices(tag_sets, points.tag_sets),
                _little_endian(array("q", points.timestamps)),
                _little_endian(array("d", points.values)),
            )
        )

    def _encoded(self, tags: TagSet) -> msgspec.Raw:
        try:
            return self._memo[tags]
        except KeyError:
            if len(self._memo) >= MAX_MEMO:
                self._memo.clear()
            encoded = self._memo[tags] = msgspec.Raw(_encode(dict(tags.pairs)))
            return encoded


def decode_event(fields: Mapping[bytes, bytes]) -> MetricsPublished:
    """Read an entry's fields back. Raises ValueError for a topic or payload it cannot read."""
    if (topic := fields.get(b"topic")) != TOPIC:
        raise ValueError(f"the topic {topic!r} is unknown")
    try:
        count = int(fields[b"count"])
        payload = fields[b"payload"]
        match fields[b"encoding"]:
            case b"zstd":
                payload = decompress(payload)
            case b"":
                pass
            case other:
                raise ValueError(f"the encoding {other!r} is unknown")
        return MetricsPublished(
            organization=fields[b"organization"].decode(),
            team=fields[b"team"].decode() or None,
            token_id=fields[b"token"].decode(),
            points=_points(payload, count),
        )
    except KeyError as error:
        raise ValueError(f"the field {error} is missing") from None


def _points(payload: bytes, count: int) -> PointBatch:
    names, tag_dicts, name_indices, tag_indices, timestamps, values = _decode(payload)
    tag_sets = [TagSet(tuple(sorted(tags.items()))) for tags in tag_dicts]
    batch = PointBatch(
        [names[i] for i in _array(index_type(len(names)), name_indices)],
        _array("q", timestamps).tolist(),
        _array("d", values).tolist(),
        [tag_sets[i] for i in _array(index_type(len(tag_sets)), tag_indices)],
    )
    columns = (batch.names, batch.timestamps, batch.values, batch.tag_sets)
    if any(len(column) != count for column in columns):
        raise ValueError(f"a column does not have {count} values")
    return batch


def index_type(entries: int) -> str:
    """Return the array type code of indices into a table: as narrow as its length allows."""
    return "B" if entries <= 1 << 8 else "H" if entries <= 1 << 16 else "I"


def _numbered(column: Sequence[_T]) -> dict[_T, int]:
    """Number a column's distinct values in order of appearance."""
    distinct = dict.fromkeys(column)
    return dict(zip(distinct, range(len(distinct)), strict=True))


def _indices(numbers: dict[_T, int], column: Sequence[_T]) -> bytes:
    return _little_endian(array(index_type(len(numbers)), map(numbers.__getitem__, column)))


def _little_endian(column: array[Any]) -> bytes:
    if sys.byteorder == "big":
        column.byteswap()
    return column.tobytes()


def _array(type_code: str, data: bytes) -> array[Any]:
    column: array[Any] = array(type_code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
