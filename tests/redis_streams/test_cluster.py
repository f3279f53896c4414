"""Clusters: slots that move under load, masters that are lost, and what each process notices."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as DriverConnectionError

from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams.clients import Client, server_of
from adapters.redis_streams.cluster import ClusterUrl, slot_of
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.metrics import slot_connection
from adapters.redis_streams.metrics.archiving import RedisArchivedLogServer
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.usage import RedisUsageStore
from adapters.redis_streams.organizations.raw_entries import (
    RedisOrganizationEntries,
    RedisRestorableLog,
    organization_keys,
)
from adapters.redis_streams.server import check_version, max_memory, weaknesses
from application.errors import LogError, LogUnavailable
from application.event_log.durability import Durability
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.publishing.ports import Appended, Idempotency
from application.usage.ports import PointUsage
from tests.clusters import Cluster, cluster
from tests.contracts.metric_log import PARTITIONS, organizations_in, published
from tests.domain.samples import History
from tests.servers import LogServer, free_port, valkey_binary
from tests.waiting import wait_until

KEYS = MetricKeys("cave")
LOG = KEYS.log(0)
BODY = sha256(b"body").digest()
ENOUGH = 100
ORGANIZATIONS = [organizations_in(partition, 1)[0] for partition in range(PARTITIONS)]


@pytest.fixture(scope="module")
def started() -> Iterator[Cluster]:
    """Three masters, and one without slots."""
    with cluster(spare=1) as running:
        yield running


@contextmanager
def connected(running: Cluster) -> Iterator[Client]:
    with (
        closing(Connections(running.url)) as connections,
        closing(connections.client(timeout=5)) as client,
    ):
        yield client


@asynccontextmanager
async def opened(running: Cluster, **settings: Any) -> AsyncIterator[RedisMetricLog]:
    log = RedisMetricLog(running.url, KEYS, PARTITIONS, **settings)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


class Load:
    """Writers to every partition; every other one sends each batch with a key until it is kept."""

    def __init__(self, log: RedisMetricLog) -> None:
        self._log = log
        self._numbers = count()
        self.acknowledged: dict[Receipt, int] = {}
        self.by_writer: list[list[Receipt]] = []
        self.keyed: set[int] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        writers = [
            asyncio.ensure_future(self._write(organization, keyed=keyed))
            for organization in ORGANIZATIONS
            for keyed in (False, True)
        ]
        try:
            yield
        finally:
            for writer in writers:
                writer.cancel()
            await asyncio.gather(*writers, return_exceptions=True)

    async def more(self, partitions: range = range(PARTITIONS)) -> None:
        """Return once each partition has acknowledged more batches."""
        before = Counter(receipt.partition for receipt in self.acknowledged)
        async with asyncio.timeout(60):
            while True:
                now = Counter(receipt.partition for receipt in self.acknowledged)
                if all(now[p] >= before[p] + ENOUGH for p in partitions):
                    return
                await asyncio.sleep(0.01)

    async def _write(self, organization: str, *, keyed: bool) -> None:
        mine: list[Receipt] = []
        self.by_writer.append(mine)
        while True:
            number = next(self._numbers)
            key = Idempotency(str(number), BODY) if keyed else None
            while True:
                await asyncio.sleep(0.001)
                try:
                    batch = published(organization, token_id=str(number))
                    receipt = (await self._log.append(batch, key)).receipt
                except LogError:
                    if keyed:
                        continue
                    break
                self.acknowledged[receipt] = number
                mine.append(receipt)
                if keyed:
                    self.keyed.add(number)
                break

    def check(self, client: Client) -> None:
        """Check that everything acknowledged is in the log, in order, and nothing twice."""
        hot = RedisHotLog(client, KEYS, PARTITIONS)
        stored: dict[Receipt, int] = {}
        for partition in range(PARTITIONS):
            after = 0
            while page := hot.read(partition, after, 1000)[1]:
                stored |= {entry.receipt: int(entry.fields[b"token"]) for entry in page}
                after = page[-1].receipt.position
            assert hot.extent(partition).lost == ()
        assert {r: n for r, n in self.acknowledged.items() if stored.get(r) != n} == {}
        times = Counter(stored.values())
        assert [number for number in self.keyed if times[number] != 1] == []
        for mine in self.by_writer:
            assert mine == sorted(mine)


def test_a_slot_moves_under_load_and_nothing_is_lost_or_doubled(started: Cluster) -> None:
    """It moves to a master that had no slot before, key by key, and back again at once."""
    started.clear()

    async def scenario() -> None:
        with connected(started) as client:
            async with opened(started) as log:
                load = Load(log)
                async with load.running():
                    await load.more()
                    [target], source = started.spares(), started.master_of(LOG)
                    await asyncio.to_thread(started.begin_move, LOG, target)
                    while await asyncio.to_thread(started.move_keys, LOG, target, most=3):
                        await load.more(range(1, PARTITIONS))
                    await load.more(range(1, PARTITIONS))
                    assert RedisHotLog(client, KEYS, PARTITIONS).extent(0).entries > 0
                    await asyncio.to_thread(started.end_move, LOG, target)
                    await load.more()
                    assert not await log.failures()
                    await asyncio.to_thread(started.move, LOG, source)
                    await load.more()
            load.check(client)

    asyncio.run(scenario())


def test_masters_are_lost_under_load_and_their_replicas_have_everything() -> None:
    with cluster(replicas=1) as running:
        asyncio.run(_lose_two_masters(running))


async def _lose_two_masters(running: Cluster) -> None:
    with (
        connected(running) as client,
        closing(
            Organizations({**_persistence(running), "REDIS_DURABILITY": "replicated:1"})
        ) as organizations,
        following(organizations) as directory,
    ):
        organizations.save_events(History("gilt").events)
        async with opened(running, durability=Durability(1)) as log:
            load = Load(log)
            async with load.running():
                await load.more()
                faults = ((LOG, LogServer.kill), ("{cave:organizations}:log", LogServer.pause))
                for key, fail in faults:
                    master = await asyncio.to_thread(running.master_of, key)
                    await asyncio.to_thread(fail, master)
                    [failure] = await until(log.failures)
                    assert f"{master.host}:{master.port} does not answer" in failure
                    await asyncio.to_thread(wait_until, partial(left, running, key, master), 60)
                    # Only then does the new master have a replica, which everything waits for.
                    master.resume()
                    if not master.running:
                        await asyncio.to_thread(master.start)
                    await load.more()
                    assert not await log.failures()
                    await asyncio.to_thread(wait_until, running.is_whole, 60)
        usage = RedisUsageStore(client, KEYS, PARTITIONS)
        for name in ORGANIZATIONS:
            await asyncio.to_thread(wait_until, partial(_counted, usage, name))
        load.check(client)
        await asyncio.to_thread(wait_until, lambda: _saved(organizations, History("acme")))
        await asyncio.to_thread(wait_until, lambda: directory.status.position == 2)


def test_a_reader_learns_that_the_organizations_are_on_another_server(started: Cluster) -> None:
    """That server may not have what was read before, even if no connection was lost."""
    started.clear()
    log = "{cave:organizations}:log"
    with closing(Organizations(_persistence(started))) as organizations:
        organizations.save_events(History("gilt").events)
        organizations.wait(0)
        [target], source = started.spares(), started.master_of(log)
        started.move(log, target)
        with pytest.raises(LogUnavailable, match="no longer on"):
            organizations.wait(0)
        organizations.wait(0)
        assert len(organizations.read(0, 10)) == 1
        started.move(log, source)
        with pytest.raises(LogUnavailable, match="no longer on"):
            organizations.read(0, 10)
        assert len(organizations.read(0, 10)) == 1


def test_every_master_is_asked_for_its_version_settings_and_memory(started: Cluster) -> None:
    with connected(started) as client:
        check_version(client)
        assert weaknesses(client) == []
        assert max_memory(client) is None
        first, second, _ = started.masters()
        with Redis.from_url(second.url) as weak, Redis.from_url(first.url) as small:
            weak.config_set("appendfsync", "everysec")
            small.config_set("maxmemory", 1 << 30)
            [weakness] = weaknesses(client)
            assert weakness.startswith(f"127.0.0.1:{second.port}: appendfsync is 'everysec'")
            assert max_memory(client) == 1 << 30
            weak.config_set("appendfsync", "always")
            small.config_set("maxmemory", 0)


def test_archiving_reaches_every_partition(started: Cluster) -> None:
    started.clear()

    async def append() -> list[Receipt]:
        async with opened(started) as log:
            events = [published(organization) for organization in ORGANIZATIONS for _ in range(3)]
            return [(await log.append(event)).receipt for event in events]

    receipts = asyncio.run(append())
    with connected(started) as client:
        server, hot = (
            RedisArchivedLogServer(client, KEYS, PARTITIONS),
            RedisHotLog(client, KEYS, PARTITIONS),
        )
        assert all(server.memory())
        server.compact()
        for partition in range(PARTITIONS):
            first, _, last = (each for each in receipts if each.partition == partition)
            assert server.lease(partition, "me", 60)
            assert server.trim(partition, "me", first, last) == 2
            assert hot.extent(partition).first == last


def test_reading_takes_one_connection_per_server(started: Cluster) -> None:
    with connected(started) as client:
        hot = RedisHotLog(client, KEYS, PARTITIONS)
        for _ in range(3):
            assert hot.wait_for_entries([1 << 62] * PARTITIONS) == []
        pools = {server_of(client, KEYS.log(p)).connection_pool for p in range(PARTITIONS)}
        assert all(len(pool._available_connections) == 1 for pool in pools)


def test_a_log_of_which_no_node_answers_is_unavailable() -> None:
    async def scenario(url: str) -> None:
        log = RedisMetricLog(url, KEYS, PARTITIONS)
        try:
            with pytest.raises(LogUnavailable, match="no node of the cluster answers"):
                await log.open()
            assert any("no server of the event log" in each for each in await log.failures())
        finally:
            await log.close()

    asyncio.run(scenario(f"redis+cluster://127.0.0.1:{free_port()}"))


def test_a_server_that_is_in_no_cluster_is_unavailable() -> None:
    with TemporaryDirectory(prefix="cave-") as directory:
        server = LogServer(valkey_binary(), Path(directory), port=free_port())
        server.start()
        with (
            closing(Connections(f"redis+cluster://127.0.0.1:{server.port}")) as connections,
            pytest.raises(DriverConnectionError, match="cluster support disabled"),
        ):
            connections.client(timeout=5)
        server.kill()


def test_a_url_names_nodes_and_the_options_of_all() -> None:
    parsed = ClusterUrl.parse(
        "REDISS+cluster://me:s%40fe@one:7000,two,[::1]:7002?ssl_cert_reqs=none"
    )
    assert parsed.nodes == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert parsed.tls
    assert parsed.options == {"username": "me", "password": "s@fe", "ssl_cert_reqs": "none"}
    assert not ClusterUrl.parse("redis+cluster://one").tls


def test_a_key_is_not_looked_for_while_its_records_move(
    started: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of them may be elsewhere, so nothing is appended until all have moved."""
    monkeypatch.setattr(slot_connection, "REPLY_TIMEOUT", 0.5)
    started.clear()

    async def scenario() -> None:
        batch, first, second = published(ORGANIZATIONS[0]), key("first"), key("second")
        async with opened(started) as log:
            before = await log.append(batch, first)
            [target], source = started.spares(), started.master_of(LOG)
            await asyncio.to_thread(started.begin_move, LOG, target)
            for _ in range(3):
                for idempotency in (first, second):
                    with pytest.raises(LogUnavailable, match=r"TRYAGAIN|ASK"):
                        await log.append(batch, idempotency)
                await asyncio.to_thread(started.move_keys, LOG, target, most=1)
            while await asyncio.to_thread(started.move_keys, LOG, target):
                pass
            await asyncio.to_thread(started.end_move, LOG, target)
            await until(lambda: usable(log))
            assert await log.append(batch, first) == Appended(before.receipt, replayed=True)
            assert not (await log.append(batch, second)).replayed
            await asyncio.to_thread(started.move, LOG, source)

    asyncio.run(scenario())
    with connected(started) as client:
        assert RedisHotLog(client, KEYS, PARTITIONS).extent(0).entries == 2


def test_a_log_is_restored_onto_a_cluster(started: Cluster) -> None:
    started.clear()
    last = [Receipt(partition, 1_398_788_625_000, 7) for partition in range(PARTITIONS)]
    events = [
        Entry(Receipt(0, 0, n), {b"id": b"organization:gilt", b"version": b"%d" % n})
        for n in (1, 2)
    ]

    async def append() -> list[Receipt]:
        async with opened(started) as log:
            return [(await log.append(published(name))).receipt for name in ORGANIZATIONS]

    with connected(started) as client:
        keys = organization_keys("cave")
        server = RedisRestorableLog(client, KEYS, keys)
        assert server.is_empty()
        server.begin("id", PARTITIONS)
        server.put_organizations(events)
        for receipt in last:
            server.resume_after(receipt, 3)
        assert not server.is_empty()
        assert RedisOrganizationEntries(client, keys).read_organizations(0, 10) == events
        hot = RedisHotLog(client, KEYS, PARTITIONS)
        assert [hot.extent(p).added for p in range(PARTITIONS)] == [3] * PARTITIONS
        assert all(new > old for new, old in zip(asyncio.run(append()), last, strict=True))


def key(name: str) -> Idempotency:
    return Idempotency(name, BODY)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+cluster://:hush@one/0", "a cluster has no databases"),
        ("redis+cluster://:hush@one/cave", "a cluster has no databases"),
        ("redis+cluster://:hush@one?db=1", "a cluster has no databases"),
        ("redis+cluster://:hush@", "not the address of a node of the cluster"),
        ("redis+cluster://:hush@one,", "not the address of a node of the cluster"),
        ("redis+cluster://:hush@one:70000", "not the address of a node of the cluster"),
        ("redis+cluster://:hush@one?socket_timeout=soon", "socket_timeout"),
    ],
)
def test_a_url_that_is_none_is_refused_without_showing_its_secrets(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        Connections(url)
    assert "hush" not in str(refused.value)


def test_partitions_are_spread_over_slots_and_keys_of_one_partition_are_not() -> None:
    assert len({slot_of(KEYS.log(partition)) for partition in range(16)}) == 16
    assert len({slot_of(key) for key in (KEYS.log(3), KEYS.end(3), KEYS.idempotency(3))}) == 1


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


def _persistence(running: Cluster) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": running.url}


def _saved(organizations: Organizations, history: History) -> bool:
    with suppress(LogError):
        organizations.save_events(history.events)
        return True
    return False


async def usable(log: RedisMetricLog) -> bool:
    return not await log.failures()


def _counted(usage: RedisUsageStore, organization: str) -> bool:
    with suppress(LogError):
        usage.add_points(0, {organization: PointUsage(accepted=1)})
        return True
    return False


def left(running: Cluster, key: str, master: LogServer) -> bool:
    return running.master_of(key) is not master


async def until(found: Callable[[], Any]) -> Any:
    """Return what is found once it is something."""
    async with asyncio.timeout(60):
        while not (result := await found()):  # noqa: ASYNC110  there is no event for it
            await asyncio.sleep(0.01)
        return result
