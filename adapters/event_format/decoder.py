"""Decodes an entry's fields to `MetricsPublished`. The format: docs/event-format.md."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping
from typing import Any

import msgspec

from adapters.event_format.compression import inflated
from adapters.event_format.topics import METRIC_TOPICS, TOPIC_OF_FINITE
from application.event_log.ports import UnreadableEvent
from application.event_log.versioned_topics import VersionedTopics
from domain.columns import CodedColumn, code_type
from domain.events import MetricsPublished
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet, batch_fault, tag_set

_Payload = tuple[list[str], list[msgspec.Raw], bytes, bytes, bytes, bytes]

_decode = msgspec.msgpack.Decoder(_Payload).decode
_decode_tags = msgspec.msgpack.Decoder(dict[str, str]).decode


class MetricDecoder:
    """Decodes events. Keeps a bounded memo of tag sets, which recur in batches. Thread-safe."""

    def __init__(self, topics: VersionedTopics[Mapping[bytes, bytes]] = METRIC_TOPICS) -> None:
        self._topics = topics
        self._tag_sets = Memo(_tag_set, lambda raw, tags: len(raw) + tags.size())

    def event(self, fields: Mapping[bytes, bytes]) -> MetricsPublished:
        """Return the event of an entry's fields. Raises UnreadableEvent."""
        try:
            topic = fields[b"topic"].decode()
            fields = self._topics.upcast(topic, fields)[1]
            return MetricsPublished(
                organization=fields[b"organization"].decode(),
                team=fields[b"team"].decode() or None,
                token_id=fields[b"token"].decode(),
                points=self._points(
                    inflated(fields), int(fields[b"count"]), finite=topic == TOPIC_OF_FINITE
                ),
            )
        except KeyError as error:
            raise UnreadableEvent(f"the field {error} is missing") from None
        except (ValueError, RecursionError) as error:  # the latter from nested arrays
            raise UnreadableEvent(str(error)) from error

    def _points(self, payload: bytes, count: int, *, finite: bool) -> PointBatch:
        names, tag_maps, name_codes, tag_codes, timestamps, values = _decode(payload)
        batch = PointBatch(
            CodedColumn.checked(names, _array(code_type(len(names)), name_codes)),
            _array("q", timestamps),
            _array("d", values),
            CodedColumn.checked(
                [self._tag_sets[bytes(tags)] for tags in tag_maps],
                _array(code_type(len(tag_maps)), tag_codes),
            ),
            known_finite=finite,
        )
        columns = (batch.names, batch.timestamps, batch.values, batch.tag_sets)
        if {*map(len, columns)} != {count}:
            raise ValueError(f"a column does not have {count} values")
        if fault := batch_fault(batch, finite=finite):
            raise ValueError(fault)
        return batch


def _tag_set(encoded: bytes) -> TagSet:
    tags = tag_set(_decode_tags(encoded))
    if tags is None:
        raise ValueError("a tag set is invalid")
    return tags


def _array(type_code: str, data: bytes) -> array[Any]:
    column: array[Any] = array(type_code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column
