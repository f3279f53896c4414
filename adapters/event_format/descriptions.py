"""The format of `MetricsDescribed`. See docs/event-format.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from adapters.event_format.compression import COMPRESS_FROM, Compressor, inflated
from adapters.event_format.topics import METRIC_TOPICS
from application.event_log.ports import UnreadableEvent
from application.event_log.versioned_topics import VersionedTopics
from domain.events import MetricsDescribed
from domain.metric_description import (
    MetricDescription,
    MetricType,
    Temporality,
    descriptions_fault,
)

_Row = tuple[str, MetricType, str, str, Temporality]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[_Row]).decode


def descriptions_fields(descriptions: Sequence[MetricDescription]) -> tuple[bytes, ...]:
    """Return the fields of an entry behind those of its origin, names and values alternating."""
    payload = _encode([(d.name, d.type, d.unit, d.help, d.temporality) for d in descriptions])
    encoding = b""
    if len(payload) >= COMPRESS_FROM:
        payload = Compressor().compress(payload)
        encoding = b"zstd"
    count = b"%d" % len(descriptions)
    return (b"count", count, b"encoding", encoding, b"payload", payload)


def decoded_descriptions(
    fields: Mapping[bytes, bytes],
    topics: VersionedTopics[Mapping[bytes, bytes]] = METRIC_TOPICS,
) -> MetricsDescribed:
    """Return the event of an entry's fields. Raises UnreadableEvent."""
    try:
        fields = topics.upcast(fields[b"topic"].decode(), fields)[1]
        return MetricsDescribed(
            organization=fields[b"organization"].decode(),
            team=fields[b"team"].decode() or None,
            token_id=fields[b"token"].decode(),
            descriptions=_descriptions(inflated(fields), int(fields[b"count"])),
        )
    except KeyError as error:
        raise UnreadableEvent(f"the field {error} is missing") from None
    except (ValueError, RecursionError) as error:  # the latter from nested arrays
        raise UnreadableEvent(str(error)) from error


def _descriptions(payload: bytes, count: int) -> tuple[MetricDescription, ...]:
    descriptions = tuple(MetricDescription(*row) for row in _decode(payload))
    if not descriptions or len(descriptions) != count:
        raise ValueError(f"there are not {count} descriptions")
    if fault := descriptions_fault(descriptions):
        raise ValueError(fault)
    return descriptions
