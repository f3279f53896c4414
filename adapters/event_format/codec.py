"""Encoding and decoding of the metric log's entries."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from adapters.event_format.decoder import MetricDecoder
from adapters.event_format.descriptions import decoded_descriptions, descriptions_fields
from adapters.event_format.encoder import MetricEncoder, origin_fields
from adapters.event_format.topics import (
    DESCRIPTIONS,
    EARLIER_POINTS,
    METRIC_TOPICS,
    POINTS,
)
from application.event_log.ports import Entry, Outline
from application.event_log.versioned_topics import VersionedTopics
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished

_EVENTS: Mapping[bytes, type[MetricEvent]] = {
    POINTS.encode(): MetricsPublished,
    EARLIER_POINTS.encode(): MetricsPublished,
    DESCRIPTIONS.encode(): MetricsDescribed,
}


class MetricEventCodec:
    """Implements the port EventCodec as documented in docs/event-format.md."""

    def __init__(self, topics: VersionedTopics[Mapping[bytes, bytes]] = METRIC_TOPICS) -> None:
        self._topics = topics
        self._decoder = MetricDecoder(topics)

    def decode(self, fields: Mapping[bytes, bytes]) -> MetricEvent:
        if _event_type(fields) is MetricsDescribed:
            return decoded_descriptions(fields, self._topics)
        return self._decoder.event(fields)

    def encode(self, event: MetricEvent) -> Mapping[bytes, bytes]:
        if isinstance(event, MetricsDescribed):
            content = descriptions_fields(event.descriptions)
        else:
            content = MetricEncoder().points_fields(event.points)
        fields = (*origin_fields(event), *content)
        parts = [part.encode() if isinstance(part, str) else part for part in fields]
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def outline(self, fields: Mapping[bytes, bytes]) -> Outline:
        count = fields.get(b"count", b"")
        return Outline(_event_type(fields), int(count) if _is_count(count) else 1)

    def organization(self, fields: Mapping[bytes, bytes]) -> str | None:
        name = fields.get(b"organization")
        return None if name is None else name.decode("utf-8", "replace")

    def digest(self, entry: Entry) -> bytes:
        """Return the SHA-256 of all parts, each after its length: this keeps entries distinct.

        An entry that was erased has kept the digest that it had.
        """
        if entry.erased is not None:
            return entry.erased
        receipt = entry.receipt
        event_id = b"%d-%d" % (receipt.milliseconds, receipt.sequence)
        counted = [_COUNTS[len(event_id)], event_id]
        for name, value in entry.fields.items():
            counted += (_COUNTS[len(name)], name, _COUNTS[len(value)], value)
        return sha256(b"".join(counted)).digest()


class _Counts(dict[int, bytes]):
    """Lengths as text with a colon. Those of short parts are kept: every reader needs digests."""

    def __missing__(self, length: int) -> bytes:
        return b"%d:" % length


_COUNTS = _Counts({length: b"%d:" % length for length in range(1024)})


def _event_type(fields: Mapping[bytes, bytes]) -> type[MetricEvent] | None:
    """Return the type of the event by its topic, whatever the version; None if it is unknown."""
    return _EVENTS.get(fields.get(b"topic", b"").rpartition(b".v")[0])


def _is_count(text: bytes) -> bool:
    return text.isdigit() and len(text) < 10 and text[:1] != b"0"
