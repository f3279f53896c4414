"""What can be set, by flag or `CAVE_*` variable, and what it is otherwise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec import Struct

MEBIBYTE = 1 << 20


class LogSettings(Struct, frozen=True, kw_only=True):
    """Which log server, how the log is laid out on it, and where its projections are kept.

    `redis_url` None stands for the embedded server on `data_dir`. `partitions` None takes the log
    as it is, 16 for a new one; a number that is not the log's is refused. `allow_weak_log`
    accepts an external server that may lose what it took. Projections are in the data dir, unless
    `projections_catalog`, a PostgreSQL, and `projections_files`, a directory or an object store,
    say otherwise.
    """

    data_dir: Path = Path("cave-data")
    redis_url: str | None = None
    key_prefix: str = "cave"
    partitions: int | None = None
    allow_weak_log: bool = False
    projections_catalog: str | None = None
    projections_files: str | None = None


class HttpLimits(Struct, frozen=True, kw_only=True):
    """`max_body` and `max_inflated` in bytes, `max_points` a batch.

    `max_body_memory` bounds the bodies a worker holds at once; above it requests get a 503.
    """

    max_body: int = 16 * MEBIBYTE
    max_inflated: int = 64 * MEBIBYTE
    max_points: int = 100_000
    max_body_memory: int = 256 * MEBIBYTE


class QueryLimits(Struct, frozen=True, kw_only=True):
    """How long one query may take (s), how much memory (bytes), and how many run in a worker."""

    seconds: float = 10.0
    memory: int = 256 * MEBIBYTE
    concurrency: int = 4


class ServiceSettings(Struct, frozen=True, kw_only=True):
    """What a worker needs to know. `quota` is points a second an organization, None unlimited."""

    log: LogSettings = LogSettings()
    limits: HttpLimits = HttpLimits()
    queries: QueryLimits = QueryLimits()
    max_future: timedelta = timedelta(hours=24)
    quota: float | None = None
    operator_token: str | None = None
    workers: int = 1
