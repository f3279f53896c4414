"""Usage on real servers: the port's contract, what expires, and a server that fails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from redis import Redis

from adapters.redis_streams.metrics import usage as module
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.usage import HOUR, KEPT_HOURS, RedisUsageStore
from application.errors import LogUnavailable
from application.event_log.partitioning import partition_of
from application.usage.ports import PointUsage, UsageStore
from tests.contracts.metric_log import PARTITIONS
from tests.contracts.usage_store import MINUTE, REFUSED, UsageStoreContract
from tests.redis_streams.cases import FLAVOURS
from tests.redis_streams.conftest import Servers
from tests.servers import LogServer

KEYS = MetricKeys("cave")


@contextmanager
def usage_on(server: LogServer) -> Iterator[tuple[RedisUsageStore, Redis]]:
    with Redis.from_url(server.url, protocol=2) as client:
        yield RedisUsageStore(client, KEYS, PARTITIONS), client


class TestRedisUsageStore(UsageStoreContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @contextmanager
    def open_usage(self) -> Iterator[UsageStore]:
        with usage_on(self.server) as (usage, client):
            self.client = client
            yield usage

    def current_minute(self, usage: UsageStore) -> int:
        now: Any = self.client.time()
        return int(now[0]) // 60

    def test_more_than_is_sent_at_once_is_written(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_TOGETHER", 3)
        names = [f"org-{number}" for number in range(10)]
        with self.open_usage() as usage:
            usage.add_points(MINUTE, dict.fromkeys(names, PointUsage(1, REFUSED)))
            usage.set_token_uses({(name, "t"): 1 for name in names})
            assert all(usage.points(name, MINUTE) for name in names)
            assert all(usage.token_uses(name) == {"t": 1} for name in names)


def test_everything_is_in_the_slot_of_the_organizations_partition(own_server: LogServer) -> None:
    with usage_on(own_server) as (usage, client):
        usage.add_points(MINUTE, {"gilt": PointUsage(1, REFUSED)})
        usage.set_token_uses({("gilt", "t1"): 1})
        tag = f"{{cave:metrics:{partition_of('gilt', PARTITIONS)}}}".encode()
        assert all(key.startswith(tag) for key in client.scan_iter())


def test_points_expire_once_no_answer_has_them(own_server: LogServer) -> None:
    with usage_on(own_server) as (usage, client):
        usage.add_points(MINUTE, {"gilt": PointUsage(1)})
        usage.add_points(MINUTE + 1, {"gilt": PointUsage(1)})
        lives = [client.ttl(key) for key in client.scan_iter("*:points:*")]
    assert len(lives) == 2
    # An hour that has just begun is asked for until the end of the next one.
    assert all((2 * HOUR - 1) * 60 < life <= KEPT_HOURS * HOUR * 60 for life in lives)


def test_a_server_that_is_full_or_gone_is_an_error(own_server: LogServer) -> None:
    with usage_on(own_server) as (usage, client):
        usage.set_token_uses({("gilt", "t1"): 1})
        client.config_set("maxmemory", 1)
        with pytest.raises(LogUnavailable, match="cannot be written"):
            usage.add_points(MINUTE, {"gilt": PointUsage(1)})
        with pytest.raises(LogUnavailable, match="cannot be written"):
            usage.set_token_uses({("gilt", "t1"): 2})
        assert usage.token_uses("gilt") == {"t1": 1}
        client.config_set("maxmemory", 0)
        own_server.kill()
        with pytest.raises(LogUnavailable, match="cannot be read"):
            usage.points("gilt", MINUTE)
        with pytest.raises(LogUnavailable, match="cannot be read"):
            usage.token_uses("gilt")
