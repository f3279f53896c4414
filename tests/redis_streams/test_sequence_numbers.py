"""Sequence numbers that run out because the server's clock is behind: refused before the 202.

The clock of a test's server cannot be set back; its last id is set ahead instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.sequence_guard import (
    SAFE_SEQUENCES,
    SequenceGuard,
)
from application.errors import LogUnavailable, OutcomeUnknown
from application.event_log.partitioning import partition_of
from application.event_log.receipts import SEQUENCE_LIMIT, Receipt
from application.publishing.ports import Idempotency, MetricLog
from tests.contracts.metric_log import PARTITIONS, MetricLogPorts, published
from tests.redis_streams.test_metric_log import KEYS, opened
from tests.servers import LogServer

HOUR = 3_600_000
PARTITION = partition_of(published().organization, PARTITIONS)
LOG = KEYS.log(PARTITION)
KEYED = Idempotency("key", b"body")


@pytest.fixture
def client(server: LogServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


def now(client: Redis) -> int:
    """Return the server's time in milliseconds."""
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def set_last_id(client: Redis, sequence: int, ahead: int = HOUR) -> None:
    """Make the partition's last id one of `ahead` milliseconds from now."""
    client.xgroup_create(LOG, "g", mkstream=True)
    client.xgroup_destroy(LOG, "g")
    last = f"{now(client) + ahead}-{sequence}"
    client.execute_command("XSETID", LOG, last)  # type: ignore[no-untyped-call]


def last_id(client: Redis) -> bytes:
    info: Any = client.xinfo_stream(LOG)
    return bytes(info["last-generated-id"])


def elsewhere() -> str:
    """Return an organization of another partition."""
    names = (f"org{number}" for number in range(100))
    return next(name for name in names if partition_of(name, PARTITIONS) != PARTITION)


async def until_connected(log: MetricLog) -> None:
    assert isinstance(log, RedisMetricLog)
    async with asyncio.timeout(20):
        while True:
            if not await log.failures():
                return
            await asyncio.sleep(0.01)


async def refused(ports: MetricLogPorts, client: Redis) -> None:
    """Check that appends to the partition are refused, naming the clock, and are not sent."""
    before = last_id(client)
    for idempotency in (None, KEYED):
        with pytest.raises(LogUnavailable, match="clock"):
            await ports.log.append(published(), idempotency)
    assert last_id(client) == before


@pytest.mark.parametrize("sequence", [SEQUENCE_LIMIT, 1 << 24, (1 << 24) + 5, 1 << 40])
def test_an_event_that_cannot_be_read_is_not_acknowledged_by_its_key_either(
    server: LogServer, client: Redis, sequence: int
) -> None:
    async def scenario() -> None:
        async with opened(server) as ports:
            set_last_id(client, sequence, ahead=500)
            with pytest.raises(OutcomeUnknown, match="clock"):
                await ports.log.append(published(), KEYED)
            async with asyncio.timeout(20):
                while True:
                    try:
                        await ports.log.append(published())
                        break  # the clock is past the event
                    except LogUnavailable:
                        await asyncio.sleep(0.02)
            with pytest.raises(OutcomeUnknown, match="clock"):
                await ports.log.append(published(), KEYED)

    asyncio.run(scenario())


@pytest.mark.parametrize("idempotency", [None, KEYED])
@pytest.mark.parametrize(
    "sequence",
    [0, SAFE_SEQUENCES - 2, SAFE_SEQUENCES, SEQUENCE_LIMIT - 2, SEQUENCE_LIMIT - 1, 1 << 40],
)
def test_only_an_event_that_can_be_read_is_acknowledged(
    server: LogServer, client: Redis, sequence: int, idempotency: Idempotency | None
) -> None:
    async def scenario() -> None:
        async with opened(server) as ports:
            set_last_id(client, sequence)
            if sequence + 1 < SEQUENCE_LIMIT:
                receipt = (await ports.log.append(published(), idempotency)).receipt
                assert receipt.sequence == sequence + 1
                assert ports.entries.find(receipt) is not None
            else:
                with pytest.raises(OutcomeUnknown, match="clock"):
                    await ports.log.append(published(), idempotency)

    asyncio.run(scenario())


def test_once_a_reply_shows_a_high_sequence_number_nothing_more_is_sent(
    server: LogServer, client: Redis
) -> None:
    async def scenario() -> None:
        async with opened(server) as ports:
            set_last_id(client, SAFE_SEQUENCES - 2)
            await ports.log.append(published())
            last = (await ports.log.append(published())).receipt
            assert last.sequence == SAFE_SEQUENCES
            await refused(ports, client)

    asyncio.run(scenario())


@pytest.mark.parametrize("sequence", [SAFE_SEQUENCES, SEQUENCE_LIMIT, 1 << 40])
def test_a_high_last_id_is_noticed_when_connecting_and_when_connecting_again(
    server: LogServer, client: Redis, sequence: int
) -> None:
    async def scenario() -> None:
        async with opened(server) as ports:
            set_last_id(client, sequence)
            client.client_kill_filter(_type="normal", skipme=True)
            await until_connected(ports.log)
            await refused(ports, client)
        async with opened(server) as ports:
            await refused(ports, client)

    asyncio.run(scenario())


def test_connecting_reads_no_entries(server: LogServer, client: Redis) -> None:
    entry = 1 << 20
    for partition in range(PARTITIONS):
        for _ in range(2):
            client.xadd(KEYS.log(partition), {"payload": b"x" * entry})
    client.config_resetstat()

    async def scenario() -> None:
        async with opened(server):
            stats: Any = client.info("stats")
            assert stats["total_net_output_bytes"] < entry

    asyncio.run(scenario())


def test_a_log_that_is_no_stream_is_reported_when_connecting(
    server: LogServer, client: Redis
) -> None:
    async def scenario() -> None:
        with pytest.raises(LogUnavailable, match=r"last id.*WRONGTYPE"):
            async with opened(server):
                raise AssertionError

    client.set(LOG, "text")
    asyncio.run(scenario())


def test_events_of_other_writers_count(server: LogServer, client: Redis) -> None:
    async def scenario() -> None:
        client.xadd(LOG, {"topic": "x"}, id=f"{now(client) + HOUR}-{SEQUENCE_LIMIT}")
        async with opened(server) as ports:
            await refused(ports, client)

    asyncio.run(scenario())


def test_other_partitions_are_not_concerned(server: LogServer, client: Redis) -> None:
    async def scenario() -> None:
        set_last_id(client, SAFE_SEQUENCES)
        async with opened(server) as ports:
            await refused(ports, client)
            await ports.log.append(published(organization=elsewhere()))

    asyncio.run(scenario())


def test_appends_go_on_once_the_clock_is_past_the_last_id(server: LogServer, client: Redis) -> None:
    async def scenario() -> None:
        set_last_id(client, SAFE_SEQUENCES, ahead=300)
        async with opened(server) as ports, asyncio.timeout(20):
            while True:
                try:
                    receipt = (await ports.log.append(published(), KEYED)).receipt
                    break
                except LogUnavailable:
                    await asyncio.sleep(0.02)
            assert receipt.sequence == 0
            assert (await ports.log.append(published(), KEYED)).receipt == receipt
            client.config_resetstat()
            await ports.log.append(published())
            assert "cmdstat_time" not in client.info("commandstats"), "asked without need"

    asyncio.run(scenario())


def test_a_clock_that_is_past_an_older_event_does_not_free_the_partition() -> None:
    guard = SequenceGuard()
    older, newer = Receipt(0, 1000, SAFE_SEQUENCES), Receipt(0, 2000, SAFE_SEQUENCES)
    guard.saw(newer)
    guard.saw(older)
    guard.passed(older, 1500)
    assert guard.last(0) == newer
    guard.passed(newer, 2000)
    assert guard.last(0) == newer
    guard.passed(newer, 2001)
    assert not guard
