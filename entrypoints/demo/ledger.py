"""The acknowledged batches, and the contents of the log to compare them with."""

from __future__ import annotations

from contextlib import closing
from statistics import median

from msgspec import Struct, field

from adapters.http_client.client import Answer
from adapters.redis_streams.connections import Connections
from application.event_log.ports import RecordedMetrics
from application.event_log.reader import MetricLogReader

TIMEOUT = 5.0
"""Seconds."""


class Sent(Struct, frozen=True):
    """An acknowledged batch: its answer, number of points and bytes of JSON."""

    answer: Answer
    points: int
    size: int


class Ledger(Struct):
    """The acknowledgements that a client received."""

    sent: list[Sent] = field(default_factory=list)

    def points(self) -> int:
        return sum(batch.points for batch in self.sent)

    def bytes_sent(self) -> int:
        return sum(batch.size for batch in self.sent)

    def receipts(self) -> set[str]:
        return {str(batch.answer.receipt) for batch in self.sent}

    def milliseconds(self) -> tuple[float, float]:
        """Return the median and the longest time to an acknowledgement."""
        times = [batch.answer.seconds * 1000 for batch in self.sent]
        return median(times), max(times)


class Stored(Struct):
    """The contents of the log; `points` is counted one by one."""

    receipts: set[str] = field(default_factory=set)
    organizations: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    points: int = 0


def read_back(reader: MetricLogReader, organization: str) -> Stored:
    """Decode every event of an organization."""
    stored = Stored()
    for recorded in reader.of_organization(organization):
        if not isinstance(recorded, RecordedMetrics):
            continue
        stored.receipts.add(str(recorded.receipt))
        stored.organizations.add(recorded.event.organization)
        for point in recorded.event.points.points():
            stored.names.add(point.name)
            stored.points += 1
    return stored


class Streams(Struct, frozen=True):
    """The number of entries in the partitions' streams, and the bytes of their fields."""

    entries: int
    size: int


def look_at_streams(url: str, key_prefix: str) -> Streams:
    """Measure the metric log's streams by what the log server itself says."""
    entries = size = 0
    with closing(Connections(url)) as connections, connections.client(timeout=TIMEOUT) as redis:
        for key in redis.scan_iter(match=f"{{{key_prefix}:metrics:*}}:log"):
            for _, fields in redis.xrange(key):
                entries += 1
                size += sum(len(name) + len(value) for name, value in fields.items())
    return Streams(entries, size)
