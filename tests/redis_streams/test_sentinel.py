"""Appending, reading and the organizations' log follow a promotion, with real Sentinels."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as DriverConnectionError

from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.sentinel import SentinelUrl, check_role
from application.errors import LogError, LogUnavailable
from application.event_log.ports import EntryLog
from application.event_log.receipts import Receipt
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from tests.contracts.metric_log import published
from tests.domain.samples import History
from tests.redis_streams.support import entries_of
from tests.replicas import HOST, ReplicaSet, Sentinels, watched_replica_set
from tests.servers import LogServer, free_port
from tests.waiting import wait_until

KEYS = MetricKeys("cave")


@contextmanager
def following(log: Organizations) -> Iterator[TokenDirectory]:
    """A token directory that follows the log, as a worker's does."""
    directory = TokenDirectory()
    follower = DirectoryFollower(log, directory)
    follower.catch_up()
    thread = threading.Thread(target=follower.run)
    thread.start()
    try:
        yield directory
    finally:
        follower.stop()
        thread.join()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisMetricLog]:
    log = RedisMetricLog(url, KEYS, 1)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def append_again(log: RedisMetricLog) -> Receipt:
    """Append until it succeeds; nothing of what fails is acknowledged."""
    while True:
        with suppress(LogError):
            return (await log.append(published())).receipt
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("fail", [LogServer.kill, LogServer.pause])
def test_everything_follows_the_primary_that_the_sentinels_name(
    fail: Callable[[LogServer], None],
) -> None:
    with watched_replica_set(sentinels=1) as (servers, sentinels):
        asyncio.run(_follow_a_promotion(servers, sentinels, fail))


async def _follow_a_promotion(
    servers: ReplicaSet, sentinels: Sentinels, fail: Callable[[LogServer], None]
) -> None:
    persistence = {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": sentinels.url}
    with (
        closing(Organizations(persistence)) as organizations,
        closing(Connections(sentinels.url)) as connections,
        connections.client(timeout=5) as client,
        following(organizations) as directory,
    ):
        entries = entries_of(client, KEYS, 1)
        waiting = asyncio.ensure_future(asyncio.to_thread(_wait_for_two, entries))
        async with opened(sentinels.url) as log:
            before = (await log.append(published())).receipt
            organizations.save_events(History("gilt").events)
            (replica,) = servers.replicas
            with Redis.from_url(replica.url) as raw:
                logs = (KEYS.log(0), "{cave:organizations}:log")
                await asyncio.to_thread(wait_until, lambda: all(map(raw.xlen, logs)))

            fail(servers.primary)
            after = await append_again(log)
            assert client.role()[0] == b"master"
            assert await waiting == [before, after]
            await asyncio.to_thread(wait_until, lambda: _saved(organizations, History("acme")))
            await asyncio.to_thread(wait_until, lambda: directory.status.position == 2)
            assert sentinels.primary_port() == replica.port
        servers.primary.resume()


def _wait_for_two(entries: EntryLog) -> list[Receipt]:
    """Read as the projector does: it waits on the server, and goes on after a failure."""
    while True:
        with suppress(LogError):
            entries.wait_for_entries([0])
            found = entries.read(0, 0, 10)
            if len(found) > 1:
                return [entry.receipt for entry in found]


def _saved(organizations: Organizations, history: History) -> bool:
    with suppress(LogError):
        organizations.save_events(history.events)
        return True
    return False


def test_a_sentinel_that_is_gone_does_not_matter_while_another_one_answers() -> None:
    with watched_replica_set(sentinels=1) as (servers, sentinels):
        gone = f"redis+sentinel://{HOST}:{free_port()},{HOST}:{sentinels.ports[0]}/mymaster"
        with closing(Connections(gone)) as connections, connections.client(timeout=5) as client:
            assert client.role()[0] == b"master"
            assert connections.address()["port"] == servers.primary.port
        unknown = f"redis+sentinel://{HOST}:{sentinels.ports[0]}/elsewhere"
        with (
            closing(Connections(unknown)) as connections,
            connections.client(timeout=5) as client,
            pytest.raises(DriverConnectionError, match="names a primary of elsewhere"),
        ):
            client.ping()


def test_without_a_sentinel_the_log_is_unavailable() -> None:
    async def scenario() -> None:
        async with opened(f"redis+sentinel://{HOST}:{free_port()}/mymaster"):
            pass

    with pytest.raises(LogUnavailable, match="no Sentinel names a primary"):
        asyncio.run(scenario())


def test_a_url_names_the_sentinels_the_service_and_the_options_of_the_server() -> None:
    parsed = SentinelUrl.parse(
        "REDISS+sentinel://me:s%40fe@one:7000,two,[::1]:7002/cave/3"
        "?ssl_cert_reqs=none&sentinel_password=other&sentinel_username=watch"
    )
    assert parsed.sentinels == (("one", 7000), ("two", 26379), ("::1", 7002))
    assert (parsed.service, parsed.tls) == ("cave", True)
    assert parsed.options == {
        "username": "me",
        "password": "s@fe",
        "db": 3,
        "ssl_cert_reqs": "none",
    }
    assert parsed.sentinel_options == {"username": "watch", "password": "other"}
    plain = SentinelUrl.parse("redis+sentinel://:hush@one/cave")
    assert (plain.options, plain.tls) == ({"password": "hush"}, False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+sentinel://:hush@one", "names no service"),
        ("redis+sentinel://:hush@one/", "names no service"),
        ("redis+sentinel://:hush@/cave", "not the address of a Sentinel"),
        ("redis+sentinel://:hush@one,/cave", "not the address of a Sentinel"),
        ("redis+sentinel://:hush@one:0/cave", "not the address of a Sentinel"),
        ("redis+sentinel://:hush@one:70000/cave", "not the address of a Sentinel"),
        ("redis+sentinel://:hush@one:x/cave", "not the address of a Sentinel"),
        ("redis+sentinel://:hush@one/cave/first", "has to be a number"),
        ("redis+sentinel://:hush@one/cave/1/2", "has to be a number"),
        ("redis+sentinel://:hush@one/cave?socket_timeout=soon", "socket_timeout"),
        ("sentinel://:hush@one/cave", "redis://"),
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_its_secrets(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Connections(url)
    assert "hush" not in str(refused.value)


def test_a_server_that_is_no_primary_is_not_used() -> None:
    check_role([b"master", 0, []], "one:6379")
    with pytest.raises(DriverConnectionError, match="one:6379 is no primary"):
        check_role([b"slave", b"two", 6379, b"connected", 1], "one:6379")
    with pytest.raises(DriverConnectionError, match="one:6379 is no primary"):
        check_role(DriverConnectionError("NOPERM"), "one:6379")
