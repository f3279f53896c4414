"""Active series on real servers: the port's contract, and a server that is full or lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from redis import Redis

from adapters.redis_streams.metrics.active_series import RedisActiveSeries
from adapters.redis_streams.metrics.keys import MetricKeys
from application.errors import LogUnavailable
from application.event_log.partitioning import partition_of
from application.publishing.active_series import ActiveSeries
from tests.contracts.active_series import DAY, ActiveSeriesContract, admit
from tests.contracts.metric_log import PARTITIONS
from tests.redis_streams.cases import FLAVOURS
from tests.redis_streams.conftest import Servers
from tests.servers import LogServer

KEYS = MetricKeys("cave")


class TestRedisActiveSeries(ActiveSeriesContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @contextmanager
    def open_counts(self) -> Iterator[tuple[ActiveSeries, Callable[[], None]]]:
        with Redis.from_url(self.server.url, protocol=2) as client:
            client.flushall()

            def pass_a_day() -> None:
                """Give each set the key that it will have for the server when a day has passed."""
                for key in sorted(client.keys("*:series:*")):
                    beginning, _, day = key.decode().rpartition(":")
                    client.rename(key, f"{beginning}:{int(day) - 1}")

            yield RedisActiveSeries(client, KEYS, PARTITIONS), pass_a_day


def test_sets_are_in_the_slot_of_the_partition_and_expire(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        active = RedisActiveSeries(client, KEYS, PARTITIONS)
        admit(active, range(10))
        [key] = client.keys("*series*")
        partition = partition_of("gilt", PARTITIONS)
        day = client.time()[0] // int(DAY)
        assert key.decode() == f"{{cave:metrics:{partition}}}:series:gilt:{day}"
        hour = 3600
        assert DAY < client.ttl(key) - hour <= 2 * DAY
        client.rename(key, key.decode().replace(str(day), str(day - 2)))
        admit(active, [1])
        assert client.keys("*series*") == [key], "a set that is over is removed before it expires"


def test_a_full_server_admits_all_and_notes_none(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        active = RedisActiveSeries(client, KEYS, PARTITIONS)
        admit(active, range(10))
        client.config_set("maxmemory", 1)
        for whole in (True, False):
            admitted = admit(active, range(20), whole=whole)
            assert (list(admitted.refused), admitted.active, admitted.noted_for) == ([], 10, 0)
        client.config_set("maxmemory", 0)
        assert len(admit(active, range(20)).refused) == 10


def test_a_lost_server_is_unavailable(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url, protocol=2) as client:
        active = RedisActiveSeries(client, KEYS, PARTITIONS)
        own_server.stop()
        with pytest.raises(LogUnavailable):
            admit(active, [1])
        with pytest.raises(LogUnavailable):
            active.count("gilt")
