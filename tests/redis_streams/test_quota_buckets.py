"""Token buckets on real servers: the port's contract, and a server that is full or lost."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.quota_buckets import RedisQuotaBuckets
from application.errors import LogUnavailable
from application.publishing.quota import QuotaBuckets
from domain.limits import Rate
from tests.contracts.metric_log import PARTITIONS
from tests.contracts.quota_buckets import SLOW, QuotaBucketsContract
from tests.redis_streams.cases import FLAVOURS
from tests.redis_streams.conftest import Servers
from tests.servers import LogServer

KEYS = MetricKeys("cave")


class TestRedisQuotaBuckets(QuotaBucketsContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @contextmanager
    def open_buckets(self) -> Iterator[tuple[QuotaBuckets, Callable[[float], None]]]:
        with Redis.from_url(self.server.url, protocol=2) as client:
            client.flushall()
            yield RedisQuotaBuckets(client, KEYS, PARTITIONS), time.sleep


def test_a_full_server_still_charges(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        buckets = RedisQuotaBuckets(client, KEYS, PARTITIONS)
        client.config_set("maxmemory", 1)
        assert asyncio.run(buckets.take("gilt", 150, 0, SLOW)).wait == 0
        assert asyncio.run(buckets.take("gilt", 1, 0, SLOW)).wait > 0
        client.config_set("maxmemory", 0)


def test_a_bucket_that_is_full_again_is_forgotten(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        buckets = RedisQuotaBuckets(client, KEYS, PARTITIONS)
        asyncio.run(buckets.take("gilt", 20, 0, Rate(2.0, 100.0)))
        [key] = client.keys("*quota*")
        assert 10_000 <= client.pttl(key) <= 11_001


def test_a_lost_server_is_unavailable(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        buckets = RedisQuotaBuckets(client, KEYS, PARTITIONS)
        own_server.stop()
        with pytest.raises(LogUnavailable):
            asyncio.run(buckets.take("gilt", 1, 0, SLOW))
