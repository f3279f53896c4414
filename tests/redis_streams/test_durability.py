"""An acknowledged event is as durable as the setting says, on real replicas."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing
from hashlib import sha256

import pytest
from eventsourcing.persistence import OperationalError
from eventsourcing.utils import Environment
from redis import Redis

from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams import Factory, durability
from adapters.redis_streams.durability import ReplicaWait, shortcomings
from adapters.redis_streams.errors import NotReplicatedError
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.errors import LogError, OutcomeUnknown
from application.event_log.durability import LOCAL, Durability
from application.publishing.ports import Idempotency
from tests.contracts.metric_log import published
from tests.domain.samples import History
from tests.redis_streams.support import event
from tests.replicas import ReplicaSet, replica_set
from tests.servers import LogServer
from tests.waiting import wait_until

KEYS = MetricKeys("cave")
KEY = Idempotency("key", sha256(b"body").digest())
ONE = Durability(1)
ROUND = 40


@pytest.fixture(scope="module")
def running() -> Iterator[ReplicaSet]:
    with replica_set() as started:
        yield started


@pytest.fixture
def replicated(running: ReplicaSet, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReplicaSet]:
    """A primary and a replica, emptied; waiting for the replica is short."""
    monkeypatch.setattr(durability, "REPLICA_SECONDS", 0.2)
    with Redis.from_url(running.url) as client:
        client.flushall()
        client.function_flush()
    yield running
    running.replicas[0].resume()


@asynccontextmanager
async def opened(url: str, wanted: Durability = ONE) -> AsyncIterator[RedisMetricLog]:
    log = RedisMetricLog(url, KEYS, 1, durability=wanted)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def run(url: str, scenario: Callable[[RedisMetricLog], Awaitable[None]]) -> None:
    async def with_a_log() -> None:
        async with opened(url) as log:
            await scenario(log)

    asyncio.run(with_a_log())


def entries(server: LogServer) -> int:
    with Redis.from_url(server.url) as client:
        return int(client.xlen(KEYS.log(0)))


def test_each_acknowledged_event_is_on_the_replica_at_that_moment(replicated: ReplicaSet) -> None:
    (replica,) = replicated.replicas

    async def scenario(log: RedisMetricLog) -> None:
        for number in range(3):
            await asyncio.gather(*(log.append(published()) for _ in range(ROUND)))
            await log.append(published(), Idempotency(str(number), b"body"))
            assert entries(replica) == (number + 1) * (ROUND + 1)

    run(replicated.url, scenario)


def test_without_a_replica_in_time_the_outcome_is_unknown_and_the_event_may_stay(
    replicated: ReplicaSet,
) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        replicated.replicas[0].pause()
        results = await asyncio.gather(
            *(log.append(published()) for _ in range(ROUND)), return_exceptions=True
        )
        assert {type(result) for result in results} == {OutcomeUnknown}
        assert "0 of 1 replicas" in str(results[0])
        replicated.replicas[0].resume()
        await log.append(published())

    run(replicated.url, scenario)
    assert [entries(server) for server in replicated.servers] == [ROUND + 1] * 2


def test_what_only_reads_does_not_wait_for_a_replica(replicated: ReplicaSet) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        replicated.replicas[0].pause()
        assert not await log.failures()

    run(replicated.url, scenario)


def test_a_refused_append_is_refused_whether_or_not_replicas_answer(replicated: ReplicaSet) -> None:
    other_body = Idempotency(KEY.key, sha256(b"other").digest())

    async def scenario(log: RedisMetricLog) -> None:
        await log.append(published(), KEY)
        replicated.replicas[0].pause()
        with pytest.raises(Exception, match="another body"):
            await log.append(published(), other_body)

    run(replicated.url, scenario)


def test_a_repeated_batch_is_acknowledged_only_once_its_first_attempt_is_replicated(
    replicated: ReplicaSet,
) -> None:
    """The retry of a batch whose outcome was unknown appends nothing, by itself."""

    async def attempt() -> bool:
        async with opened(replicated.url) as log:  # as another worker would
            return (await log.append(published(), KEY)).replayed

    replicated.replicas[0].pause()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            asyncio.run(attempt())
    replicated.replicas[0].resume()
    assert asyncio.run(attempt())
    assert [entries(server) for server in replicated.servers] == [1, 1]


def test_a_connection_that_dies_while_waiting_for_replicas_leaves_the_outcome_unknown(
    replicated: ReplicaSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability, "REPLICA_SECONDS", 5.0)

    async def scenario(log: RedisMetricLog) -> None:
        replicated.replicas[0].pause()
        append = asyncio.ensure_future(log.append(published()))
        with Redis.from_url(replicated.url) as client:
            await asyncio.to_thread(wait_until, lambda: client.xlen(KEYS.log(0)))
            waiting = asyncio.ensure_future(log.append(published()))
            await asyncio.sleep(0)
            client.client_kill_filter(_type="normal", skipme=True)
        with pytest.raises(OutcomeUnknown):
            await append
        with pytest.raises(LogError):
            await waiting

    run(replicated.url, scenario)
    assert entries(replicated.primary) == 1


def test_organizations_wait_for_replicas_too(replicated: ReplicaSet) -> None:
    environment = {
        "REDIS_URL": replicated.url,
        "ORIGINATOR_ID_TYPE": "text",
        "REDIS_DURABILITY": "replicated:1",
    }
    factory = Factory(Environment("Organizations", environment))
    try:
        recorder = factory.application_recorder()
        assert recorder.insert_events([event("a", 1)]) == [1]
        with Redis.from_url(replicated.replicas[0].url) as client:
            assert client.xlen("{cave:organizations}:log") == 1
        replicated.replicas[0].pause()
        with pytest.raises(NotReplicatedError, match="the outcome is unknown"):
            recorder.insert_events([event("a", 2)])
        assert [e.originator_version for e in recorder.select_events("a")] == [1, 2]
    finally:
        factory.close()


def test_the_application_says_that_an_unreplicated_change_is_in_doubt(
    replicated: ReplicaSet,
) -> None:
    persistence = {
        "PERSISTENCE_MODULE": "adapters.redis_streams",
        "REDIS_URL": replicated.url,
        "REDIS_DURABILITY": "replicated:1",
    }
    with closing(Organizations(persistence)) as organizations:
        replicated.replicas[0].pause()
        with pytest.raises(OutcomeUnknown):
            organizations.save_events(History("gilt").events)


def test_a_durability_that_is_none_is_refused() -> None:
    for text in ("", "replicated", "replicated:0", "replicated:-1", "replicated:100", "Local"):
        with pytest.raises(ValueError, match="is not a durability"):
            Durability.parse(text)
        if text:
            environment = {"REDIS_URL": "redis://localhost", "REDIS_DURABILITY": text}
            with pytest.raises(OSError, match="is not a durability"):
                Factory(Environment("Organizations", environment))
    for durable in (Durability(), Durability(1), Durability(99)):
        assert Durability.parse(str(durable)) == durable
    assert str(Durability()) == LOCAL


@pytest.mark.parametrize("wait", [ReplicaWait(2, fsynced=True), ReplicaWait(2, fsynced=False)])
def test_fewer_replicas_than_required_are_a_failure_and_more_are_none(wait: ReplicaWait) -> None:
    for received in range(4):
        for fsynced in range(received + 1) if wait.fsynced else (0,):
            replies = [received, [1, fsynced]][: len(wait.commands)]
            enough = (fsynced if wait.fsynced else received) >= wait.replicas
            assert (wait.failure(replies) is None) == enough
    assert wait.failure([OperationalError("gone")] * len(wait.commands))
    if wait.fsynced:
        assert wait.failure([2, [0, 2]])


def test_a_server_that_cannot_say_what_is_on_disk_is_named(server: LogServer) -> None:
    with Redis.from_url(server.url) as client:
        version = client.info("server")
        found = shortcomings(client, ONE)
        assert not shortcomings(client, Durability())
    if "valkey_version" in version:
        assert not found
    else:
        assert version["redis_version"].startswith("7.0")
        assert "WAITAOF" in found[0]
