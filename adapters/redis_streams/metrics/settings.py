"""The metric log's settings, stored in the log itself."""

from __future__ import annotations

from redis.exceptions import OutOfMemoryError

from adapters.redis_streams.clients import Client
from adapters.redis_streams.metrics.keys import MetricKeys
from application.errors import LogFull, LogUnfit
from application.event_log.partitioning import DEFAULT_PARTITIONS, MAX_PARTITIONS


def settle_partitions(client: Client, keys: MetricKeys, wanted: int | None) -> int:
    """Return the log's number of partitions, setting it if the log is new.

    With `wanted` None an existing log's number is accepted. Raises LogUnfit, ValueError,
    and LogFull for a new log on a full server.
    """
    if wanted is not None and not 1 <= wanted <= MAX_PARTITIONS:
        raise ValueError(f"a log has 1 to {MAX_PARTITIONS} partitions, not {wanted}")
    # Checking first lets a process start on a server that is currently read-only or out of memory.
    if (found := client.hget(keys.settings, "partitions")) is None:
        try:
            client.hsetnx(keys.settings, "partitions", str(wanted or DEFAULT_PARTITIONS))
        except OutOfMemoryError as error:
            raise LogFull(f"a new log cannot be created, the server is full: {error}") from error
        found = client.hget(keys.settings, "partitions")
    actual = int(found or 0)
    if wanted is not None and wanted != actual:
        raise LogUnfit(
            f"the log was created with {actual} partitions, which cannot change; {wanted} asked for"
        )
    return actual
