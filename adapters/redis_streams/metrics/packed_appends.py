"""The commands that append events, as they are sent to the log server.

Most of a small command repeats what others had. So the beginning is packed once for all events of a
token, and the content of one point is put together from pieces.
"""

from __future__ import annotations

from collections.abc import Sequence

import hiredis

from adapters.event_format.column_writing import ColumnWriting
from adapters.event_format.compression import COMPRESS_FROM
from adapters.event_format.descriptions import descriptions_fields
from adapters.event_format.encoder import MetricEncoder, is_one_point, origin_fields
from adapters.redis_streams.metrics.link import pack
from application.event_log.partitioning import partition_of
from domain.events import MetricEvent, MetricsDescribed

MAX_BEGINNINGS = 4096
"""Beginnings that are remembered. Past it, all are forgotten and packed again."""

Fields = tuple[bytes | str, ...]
"""Names and values of an entry's fields, in turn."""

_Origin = tuple[str, str | None, str, type[MetricEvent]]
"""Organization, team, token and type: what the first fields of an event depend on."""

_CONTENT_FIELDS = 6
_HEADER = b"*%d\r\n" % _CONTENT_FIELDS
_END = b"\r\n"


def _before_payload(size: int) -> bytes:
    """Return the packed content of one point up to its payload of `size` bytes."""
    packed = pack((b"count", b"1", b"encoding", b"", b"payload", bytes(size)))
    return packed[len(_HEADER) : -size - len(_END)]


_BEFORE_PAYLOAD = [b"", *map(_before_payload, range(1, COMPRESS_FROM))]


class PackedAppends:
    """Packs events for partitions whose streams have these keys. For one thread."""

    def __init__(self, logs: Sequence[str]) -> None:
        self._logs = logs
        self._encoder = MetricEncoder(ColumnWriting())
        self._beginnings: dict[_Origin, tuple[int, bytes]] = {}

    def command(self, event: MetricEvent) -> tuple[int, bytes]:
        """Return an event's partition, and the command that appends the event to it."""
        origin = (event.organization, event.team, event.token_id, type(event))
        partition, beginning = self._beginnings.get(origin) or self._begin(origin, event)
        if not isinstance(event, MetricsDescribed) and is_one_point(event.points):
            payload = self._encoder.payload_of_one(event.points)
            if len(payload) < len(_BEFORE_PAYLOAD):
                return partition, beginning + _BEFORE_PAYLOAD[len(payload)] + payload + _END
        return partition, beginning + pack(self.content_fields(event))[len(_HEADER) :]

    def content_fields(self, event: MetricEvent) -> Fields:
        """Return the fields of an event that come after those of its origin."""
        if isinstance(event, MetricsDescribed):
            return descriptions_fields(event.descriptions)
        return self._encoder.points_fields(event.points)

    def _begin(self, origin: _Origin, event: MetricEvent) -> tuple[int, bytes]:
        """Return the partition, and the packed command up to the fields of the content."""
        partition = partition_of(event.organization, len(self._logs))
        before = ("XADD", self._logs[partition], "*", *origin_fields(event))
        _, rest = pack(before).split(_END, 1)
        begun = partition, b"*%d\r\n%b" % (len(before) + _CONTENT_FIELDS, rest)
        if len(self._beginnings) >= MAX_BEGINNINGS:
            self._beginnings.clear()
        self._beginnings[origin] = begun
        return begun


def is_appended_by(command: bytes, entry: Sequence[bytes]) -> bool:
    """Return whether the content of an entry, its names and values, is that of a command."""
    reader = hiredis.Reader()
    reader.feed(command)
    sent = reader.gets()
    return bool(sent[-_CONTENT_FIELDS:] == list(entry[-_CONTENT_FIELDS:]))
