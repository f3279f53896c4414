"""The settings, by option or `CAVE_*` variable, with their defaults."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from adapters.point_formats.otlp.attributes import RESOURCE_ATTRIBUTES
from application.archiving.policy import ArchivePolicy
from application.event_log.durability import NO_REPLICAS, Durability
from application.reading.query_budget import QueryLimits
from application.reading.query_threads import PATIENCE, QUEUE

MEBIBYTE = 1 << 20

OFF = "off"
"""The archive of a log that has none."""


class LogSettings(Struct, frozen=True, kw_only=True):
    """The log server, the layout of the log on it, and the place of its projections.

    `redis_url` None means the embedded server on `data_dir`. `partitions` None means those of the
    log, or 16 for a new one; a number other than the log's is refused. `allow_weak_log` accepts an
    external server that may lose acknowledged data. `durability` says where an event has to be
    before it is acknowledged. `max_memory` is the embedded server's limit in bytes, None for a
    quarter of the machine's memory. Projections are in the data directory unless
    `projections_catalog`, a PostgreSQL, and `projections_files`, a directory or an object store,
    are given. `projections_lease` is the time after which a projector that is not heard of may be
    replaced by another. `projections_connections` is the most connections of a worker to that
    PostgreSQL.

    `archive` is the URL or path of the log's archive, or OFF. None means the one that the log was
    given before, or else `archive` in the data directory for the embedded server, and none for
    another server.
    """

    data_dir: Path = Path("cave-data")
    max_memory: int | None = None
    redis_url: str | None = None
    key_prefix: str = "cave"
    partitions: int | None = None
    allow_weak_log: bool = False
    durability: Durability = NO_REPLICAS
    projections_catalog: str | None = None
    projections_files: str | None = None
    projections_lease: timedelta = timedelta(seconds=10)
    projections_connections: int = 16
    archive: str | None = None
    archive_policy: ArchivePolicy = ArchivePolicy()


class HttpLimits(Struct, frozen=True, kw_only=True):
    """`max_body` and `max_inflated` are in bytes per request, `max_points` is per batch.

    `max_body_memory` limits the bytes of all bodies in a worker; above it requests get a 503.
    """

    max_body: int = 16 * MEBIBYTE
    max_inflated: int = 64 * MEBIBYTE
    max_points: int = 100_000
    max_body_memory: int = 256 * MEBIBYTE


_PROMQL = QueryLimits()


class QuerySettings(Struct, frozen=True, kw_only=True):
    """A worker's settings for queries.

    `seconds`, `steps`, `series` and `samples` limit a query, the last three those of PromQL.
    `memory` is in bytes. `concurrency` queries run at the same time; at most `queue` others wait
    for their turn, each for at most `wait` seconds.
    """

    seconds: float = _PROMQL.seconds
    memory: int = _PROMQL.memory
    concurrency: int = 4
    queue: int = QUEUE
    wait: float = PATIENCE
    steps: int = _PROMQL.steps
    series: int = _PROMQL.series
    samples: int = _PROMQL.samples


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """A worker's settings. `quota` is in points per second per organization, None for unlimited.

    `series_limit` is in active series per organization, None for unlimited.
    `idempotency_memory` is in bytes of the log server, None for a quarter of its `maxmemory`, or
    1 GiB if it has none. `otlp_resource_attributes` are names of the attributes of OTLP resources
    that become tags, or their beginnings with `*`. Without `projector`, another `cave projector`
    keeps the projections up to date.
    """

    log: LogSettings = LogSettings()
    limits: HttpLimits = HttpLimits()
    queries: QuerySettings = QuerySettings()
    max_future: timedelta = timedelta(hours=24)
    quota: float | None = None
    series_limit: int | None = None
    idempotency_memory: int | None = None
    operator_token: str | None = None
    otlp_resource_attributes: tuple[str, ...] = RESOURCE_ATTRIBUTES
    workers: int = 1
    projector: bool = True
