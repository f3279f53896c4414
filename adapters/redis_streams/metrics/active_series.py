"""Active series on the log server, in the cluster slot of the organization's partition."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from redis.exceptions import OutOfMemoryError

from adapters.redis_streams.clients import Client
from adapters.redis_streams.functions import SERIES
from adapters.redis_streams.metrics.hot_log import translated
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.partitioning import partition_of
from application.publishing.active_series import Admitted


class RedisActiveSeries:
    """Implements the port ActiveSeries. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    async def admit(
        self, organization: str, series: Sequence[bytes], limit: int, *, whole: bool
    ) -> Admitted:
        return await asyncio.to_thread(self._admit, organization, series, limit, whole=whole)

    def _admit(
        self, organization: str, series: Sequence[bytes], limit: int, *, whole: bool
    ) -> Admitted:
        args: list[str | bytes | int] = [limit, int(whole), b"".join(series)]
        with translated("the active series cannot be counted"):
            try:
                active, left, wait, noted, refused = SERIES.call(
                    self._client, "admit", [self._base(organization)], args
                )
            except OutOfMemoryError:
                # The server refuses what is new to the log itself.
                return Admitted((), self._count(organization), 0.0)
        return Admitted(
            refused,
            active,
            left / 1000 if noted else 0.0,
            wait / 1000 if refused else 0.0,
        )

    def count(self, organization: str) -> int:
        with translated("the active series cannot be counted"):
            return self._count(organization)

    def _count(self, organization: str) -> int:
        keys = [self._base(organization)]
        return int(SERIES.call(self._client, "count", keys, [], reads_only=True))

    def _base(self, organization: str) -> str:
        return self._keys.series(partition_of(organization, self._partitions), organization)
