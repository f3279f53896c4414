"""Token buckets on the log server, in the cluster slot of the organization's partition."""

from __future__ import annotations

import asyncio

from adapters.redis_streams.clients import Client
from adapters.redis_streams.functions import QUOTA
from adapters.redis_streams.metrics.hot_log import translated
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.partitioning import partition_of
from application.publishing.quota import Taken
from domain.limits import Rate


class RedisQuotaBuckets:
    """Implements the port QuotaBuckets. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    async def take(self, organization: str, points: float, ahead: float, rate: Rate) -> Taken:
        return await asyncio.to_thread(self._take, organization, points, ahead, rate)

    def _take(self, organization: str, points: float, ahead: float, rate: Rate) -> Taken:
        key = self._keys.quota(partition_of(organization, self._partitions), organization)
        numbers = (points, ahead, rate.points_per_second, rate.burst)
        with translated("the quota cannot be charged"):
            taken, wait = QUOTA.call(
                self._client, "take", [key], list(map(repr, numbers)), allows_oom=True
            )
        return Taken(float(taken), float(wait))
