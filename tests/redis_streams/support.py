"""Events for tests, and the server's statistics."""

from typing import Any

from eventsourcing.persistence import StoredEvent
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.clients import Client
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.ports import EventCodec
from application.event_log.reader import MetricLogReader
from application.event_log.tiered import TieredLog


def event(originator: str, version: int, topic: str = "t", state: bytes = b"s") -> StoredEvent:
    return StoredEvent(originator, version, topic, state)


def history(originator: str, count: int, topic: str = "t") -> list[StoredEvent]:
    """Return events of versions 1 to `count`, each with a different state."""
    return [event(originator, n, topic, f"{originator} {n}".encode()) for n in range(1, count + 1)]


def calls(raw: Redis, command: str) -> int:
    """Return how often the server has executed a command since its statistics were reset."""
    statistics: Any = raw.info("commandstats")
    return int(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"])


def connections(raw: Redis) -> int:
    """Return how many clients are connected, including this one."""
    clients: Any = raw.info("clients")
    return int(clients["connected_clients"])


def entries_of(client: Client, keys: MetricKeys, partitions: int) -> TieredLog:
    """Return the metric log on a server, without an archive."""
    return TieredLog(RedisHotLog(client, keys, partitions), MetricEventCodec())


def reader_of(
    client: Client, keys: MetricKeys, partitions: int, codec: EventCodec | None = None
) -> MetricLogReader:
    """Return a reader of the events of the metric log on a server."""
    return MetricLogReader(entries_of(client, keys, partitions), codec or MetricEventCodec())
