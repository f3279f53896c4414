"""Refused points on real servers: the port's contract, and a server that is full."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.refused_points import RedisRefusedPoints
from application.publishing.refused_points import RefusedPoints
from tests.contracts.metric_log import PARTITIONS
from tests.contracts.refused_points import GILT, RefusedPointsContract, refusals
from tests.redis_streams.cases import FLAVOURS
from tests.redis_streams.conftest import Servers
from tests.servers import LogServer

KEYS = MetricKeys("cave")


class TestRedisRefusedPoints(RefusedPointsContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @contextmanager
    def open_refused(self) -> Iterator[RefusedPoints]:
        with Redis.from_url(self.server.url, protocol=2) as client:
            yield RedisRefusedPoints(client, KEYS, PARTITIONS)


def test_a_full_server_keeps_none_and_fails_nothing(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        refused = RedisRefusedPoints(client, KEYS, PARTITIONS)
        asyncio.run(refused.record(GILT, "json", refusals("before")))
        client.config_set("maxmemory", 1)
        asyncio.run(refused.record(GILT, "json", refusals("when full")))
        assert [kept.point.detail for kept in refused.last("gilt")] == ["before"]
        client.config_set("maxmemory", 0)
