"""A promoted server that lacks the log's end is noticed, whoever had seen it, and whatever follows.

Clients connect to a symbolic link, which leads to the primary and then to the promoted replica, as
an address does that moves. The replica gets copies of the keys: attaching it takes a second a test.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.errors import LogError, LogGap
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from application.publishing.ports import Idempotency
from tests.contracts.metric_log import PARTITIONS, organizations_in, published
from tests.redis_streams.conftest import Servers
from tests.redis_streams.support import entries_of
from tests.servers import LogServer

KEYS = MetricKeys("cave")
LOG = KEYS.log(0)
HOUR_MS = 3_600_000
[ORGANIZATION] = organizations_in(0, 1)


class Failover:
    """A primary, a replica that can be cut off from it, and the address of the one in charge."""

    def __init__(self, primary: LogServer, replica: LogServer) -> None:
        self._address = Path(primary.url.removeprefix("unix://")).with_name("address")
        self.replica_url = replica.url
        self.primary = Redis.from_url(primary.url)
        self.replica = Redis.from_url(replica.url)
        for client in (self.primary, self.replica):
            client.flushall()
        self._lead_to(primary.url)

    @property
    def url(self) -> str:
        return f"unix://{self._address}"

    def cut(self) -> None:
        """Let the replica have everything up to now, and nothing that follows."""
        for key in self.primary.scan_iter():
            self.replica.restore(key, 0, self.primary.dump(key) or b"")

    def fail_over(self) -> None:
        """From now on, the address leads to the replica."""
        self._lead_to(self.replica_url)
        self.primary.client_kill_filter(_type="normal", skipme=True)

    def _lead_to(self, url: str) -> None:
        self._address.unlink(missing_ok=True)
        self._address.symlink_to(url.removeprefix("unix://"))


@pytest.fixture
def failover(servers: Servers, replica: LogServer) -> Iterator[Failover]:
    moving = Failover(servers.get("valkey"), replica)
    yield moving
    moving.primary.close()
    moving.replica.close()


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[LogServer]:
    started = servers.new("valkey")
    yield started
    started.kill()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[RedisMetricLog]:
    log = RedisMetricLog(url, KEYS, PARTITIONS)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


async def append(log: RedisMetricLog, count: int = 1) -> list[Receipt]:
    event = published(ORGANIZATION)
    return [(await log.append(event)).receipt for _ in range(count)]


async def reconnected(log: RedisMetricLog, failover: Failover) -> None:
    """Wait until a log has a connection to the replica, and has looked at its end."""
    while len(failover.replica.client_list()) < 2 or await log.failures():  # noqa: ASYNC110  no event
        await asyncio.sleep(0.01)


def reader(client: Redis) -> TieredLog:
    """Return what another process reads."""
    return entries_of(client, KEYS, PARTITIONS)


def after(receipt: Receipt) -> Receipt:
    return Receipt.at(receipt.partition, receipt.position + 1)


def in_an_hour(client: Redis) -> int:
    seconds, _ = client.time()
    return int(seconds) * 1000 + HOUR_MS


@pytest.mark.parametrize("kept", [0, 3])
@pytest.mark.parametrize("follow", ["nothing", "events of others", "an event at the same place"])
def test_the_worker_that_acknowledged_the_end_names_what_is_lost(
    failover: Failover, kept: int, follow: str
) -> None:
    async def scenario() -> None:
        async with opened(failover.url) as log:
            kept_ones = await append(log, kept)
            failover.cut()
            lost = await append(log, 5)
            if follow == "events of others":
                async with opened(failover.replica_url) as others:
                    await append(others, 2)
            elif follow == "an event at the same place":
                failover.replica.xadd(LOG, {"topic": "x"}, id=lost[-1].event_id)
            failover.fail_over()
            await reconnected(log, failover)

            gap = reader(failover.replica).gap(0)
            assert gap is not None
            assert gap.first == (after(kept_ones[-1]) if kept else Receipt(0, 0, 1))
            assert gap.last == lost[-1]
            assert reader(failover.replica).gap(1) is None

            [new] = await append(log)
            assert new > lost[-1]
            found = reader(failover.replica)
            if kept:
                assert [entry.receipt for entry in found.read(0, 0, 100)] == kept_ones
            with pytest.raises(LogGap):
                found.read(0, kept_ones[-1].position if kept else 0, 100)
            assert new in [e.receipt for e in found.read(0, gap.last.position, 100)]

    asyncio.run(scenario())


def test_no_event_gets_the_place_of_a_lost_one_whatever_the_clock_of_the_server_shows(
    failover: Failover,
) -> None:
    async def scenario() -> None:
        async with opened(failover.url) as log:
            await append(log)
            failover.cut()
            failover.primary.xadd(LOG, {"topic": "x"}, id=f"{in_an_hour(failover.primary)}-0")
            lost = await append(log, 3)
            failover.fail_over()
            await reconnected(log, failover)
            assert min(await append(log, 3)) > lost[-1]

    asyncio.run(scenario())


def test_a_batch_with_a_key_counts_as_acknowledged_too(failover: Failover) -> None:
    async def scenario() -> None:
        async with opened(failover.url) as log:
            key = Idempotency("key", sha256(b"body").digest())
            failover.cut()
            lost = (await log.append(published(ORGANIZATION), key)).receipt
            failover.fail_over()
            await reconnected(log, failover)
            gap = reader(failover.replica).gap(0)
            assert gap is not None
            assert gap.last == lost

    asyncio.run(scenario())


@pytest.mark.parametrize("followed", [False, True])
def test_a_reader_that_has_seen_the_end_names_what_is_lost(
    failover: Failover, *, followed: bool
) -> None:
    """The worker may be gone with its server."""

    async def publish_to(url: str) -> None:
        async with opened(url) as log:
            await append(log)

    async def publish() -> tuple[Receipt, Receipt]:
        async with opened(failover.url) as log:
            [kept] = await append(log)
            failover.cut()
            return kept, (await append(log, 5))[-1]

    kept, lost = asyncio.run(publish())
    with Redis.from_url(failover.url) as client:
        watching = TieredLog(RedisHotLog(client, KEYS, PARTITIONS), MetricEventCodec())
        assert watching.gap(0) is None
        if followed:
            asyncio.run(publish_to(failover.replica_url))
        failover.fail_over()
        with suppress(LogError):
            watching.gap(0)
        for log in (watching, reader(failover.replica)):
            gap = log.gap(0)
            assert gap is not None
            assert (gap.first, gap.last) == (after(kept), lost)


def test_events_of_both_servers_at_the_same_time_are_told_apart(failover: Failover) -> None:
    """As long as both take appends, ids of lost and of new events alternate."""

    async def scenario() -> None:
        async with opened(failover.url) as log:
            [kept] = await append(log)
            failover.cut()
            async with opened(failover.replica_url) as others:
                lost, new = [], []
                for _ in range(5):
                    lost += await append(log)
                    await asyncio.sleep(0.002)
                    new += await append(others)
                    await asyncio.sleep(0.002)
                lost += await append(log)
                failover.fail_over()
                await reconnected(log, failover)
                gap = reader(failover.replica).gap(0)
                assert gap is not None
                assert (gap.first, gap.last) == (after(kept), lost[-1])
                assert lost[0] < new[0] < lost[-1]

    asyncio.run(scenario())


@pytest.mark.parametrize("trimmed", [False, True])
def test_a_promotion_that_loses_nothing_is_no_gap(failover: Failover, *, trimmed: bool) -> None:
    async def scenario() -> None:
        async with opened(failover.url) as log:
            with Redis.from_url(failover.url) as client:
                watching = reader(client)
                await append(log, 5)
                assert watching.gap(0) is None
                failover.cut()
                if trimmed:
                    # As after sealing: the gap that this leaves is another one.
                    failover.replica.xtrim(LOG, maxlen=0, approximate=False)
                failover.fail_over()
                await reconnected(log, failover)
                assert RedisHotLog(failover.replica, KEYS, PARTITIONS).extent(0).lost == ()
                if not trimmed:
                    with suppress(LogError):
                        watching.gap(0)
                    assert watching.gap(0) is None
                    await append(log)
                    assert len(watching.read(0, 0, 100)) == 6

    asyncio.run(scenario())


def test_an_accepted_loss_is_no_gap_any_more(failover: Failover) -> None:
    async def scenario() -> None:
        async with opened(failover.url) as log:
            failover.cut()
            await append(log, 2)
            failover.fail_over()
            await reconnected(log, failover)
            hot = RedisHotLog(failover.replica, KEYS, PARTITIONS)
            (lost,) = hot.extent(0).lost
            hot.accept_lost(lost)
            assert hot.extent(0).lost == ()
            [new] = await append(log)
            assert [e.receipt for e in reader(failover.replica).read(0, 0, 10)] == [new]
            hot.note_lost(lost.last)
            assert hot.extent(0).lost == (), "it was accepted"

    asyncio.run(scenario())
