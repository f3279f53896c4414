"""Records of idempotency keys on real servers: how long, how many, and how small."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from redis import Redis

from adapters.redis_streams.metrics.idempotency import (
    BYTES_PER_RECORD,
    DEFAULT_MEMORY,
    RecordCounts,
    record_field,
    record_limit,
)
from adapters.redis_streams.metrics.keys import MetricKeys, earlier_record
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from application.errors import IdempotencyFull
from application.event_log.receipts import Receipt
from application.publishing.ports import Appended, Idempotency, IdempotencyRecords
from domain.errors import IdempotencyConflict
from tests.contracts.metric_log import organizations_in, published
from tests.servers import LogServer

KEYS = MetricKeys("cave")
BODY = sha256(b"body").digest()
KEY = Idempotency("key", BODY)
OTHER_BODY = Idempotency("key", sha256(b"other").digest())
WINDOW_MS = 86_400_000
SLICE_MS = WINDOW_MS // 4
INDEX = KEYS.idempotency_index(0, WINDOW_MS)

Scenario = Callable[[RedisMetricLog], Awaitable[None]]


@pytest.fixture
def client(server: LogServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


def run(server: LogServer, scenario: Scenario, partitions: int = 1, **settings: Any) -> None:
    async def with_a_log() -> None:
        log = RedisMetricLog(server.url, KEYS, partitions, **settings)
        await log.open()
        try:
            await scenario(log)
        finally:
            await log.close()

    asyncio.run(with_a_log())


def now_ms(client: Redis) -> int:
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


def bucket(slice_: int, key: str) -> str:
    number = int.from_bytes(record_field("gilt", key)[:4]) % 64
    return f"{INDEX}:{slice_}:0:{number}"


def remember(client: Redis, key: str, milliseconds: int) -> None:
    """Write a record as if the key had been used at a time."""
    slice_ = milliseconds // SLICE_MS
    record = milliseconds.to_bytes(6) + (5).to_bytes(3) + BODY[:12]
    client.hset(bucket(slice_, key), record_field("gilt", key), record)
    client.hincrby(INDEX, str(slice_))


def test_a_key_counts_for_exactly_the_window(server: LogServer, client: Redis) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        now = now_ms(client)
        # Far enough from the window's end for the time that the test itself takes.
        within = [now, now - SLICE_MS, now - 2 * SLICE_MS, now - WINDOW_MS + 600_000]
        for number, milliseconds in enumerate(within):
            remember(client, f"within {number}", milliseconds)
        remember(client, "before", now - WINDOW_MS)
        for number, milliseconds in enumerate(within):
            appended = await log.append(published(), Idempotency(f"within {number}", BODY))
            assert appended == Appended(Receipt(0, milliseconds, 5), replayed=True)
            with pytest.raises(IdempotencyConflict):
                await log.append(published(), Idempotency(f"within {number}", b"other" * 6))
        before = Idempotency("before", BODY)
        first = await log.append(published(), before)
        assert not first.replayed
        assert await log.append(published(), before) == Appended(first.receipt, replayed=True)

    run(server, scenario)


def test_a_record_of_a_time_ahead_of_the_clock_counts(server: LogServer, client: Redis) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        ahead = now_ms(client) + SLICE_MS
        remember(client, "key", ahead)
        appended = await log.append(published(), KEY)
        assert appended == Appended(Receipt(0, ahead, 5), replayed=True)

    run(server, scenario)


def test_a_key_is_free_after_the_window(server: LogServer) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        first = await log.append(published(), KEY)
        await asyncio.sleep(0.1)
        second = await log.append(published(), OTHER_BODY)
        assert not second.replayed
        assert second.receipt > first.receipt

    run(server, scenario, window=timedelta(milliseconds=40))


def test_windows_of_different_lengths_do_not_share_keys(server: LogServer) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        assert not (await log.append(published(), KEY)).replayed

    run(server, scenario)
    run(server, scenario, window=timedelta(minutes=10))


def test_all_keys_of_records_expire_one_window_after_their_slice(
    server: LogServer, client: Redis
) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        for number in range(100):
            await log.append(published(), Idempotency(str(number), BODY))

    begin = now_ms(client)
    run(server, scenario)
    end = now_ms(client)
    expected = {(moment // SLICE_MS + 1) * SLICE_MS + WINDOW_MS for moment in (begin, end)}
    records = list(client.scan_iter(f"{INDEX}*"))
    assert len(records) > 10
    assert {client.pexpiretime(key) for key in records} <= expected


def test_slices_that_have_ended_are_forgotten_when_one_begins(
    server: LogServer, client: Redis
) -> None:
    slice_ = now_ms(client) // SLICE_MS
    counts = {slice_ - 9: 4, slice_ - 6: 3, slice_ - 3: 2}
    client.hset(INDEX, mapping={str(each): count for each, count in counts.items()})
    client.hset(INDEX, f"{slice_ - 9}:level", 1)

    async def scenario(log: RedisMetricLog) -> None:
        assert log.idempotency().records == 2
        await log.append(published(), KEY)

    run(server, scenario)
    left = {int(name): int(count) for name, count in client.hgetall(INDEX).items()}
    current = set(left) - set(counts)
    assert len(current) == 1
    assert left == {slice_ - 3: 2, current.pop(): 1}


@pytest.mark.parametrize("before", [8191, 8192, 73_727, 73_728])
def test_keys_are_found_after_their_slice_has_got_more_buckets(
    server: LogServer, client: Redis, before: int
) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        first = await log.append(published(), KEY)
        client.hset(INDEX, str(first.receipt.milliseconds // SLICE_MS), before)
        keys = [Idempotency(str(number), BODY) for number in range(20)]
        receipts = [(await log.append(published(), key)).receipt for key in keys]
        assert (await log.append(published(), KEY)).receipt == first.receipt
        again = [await log.append(published(), key) for key in keys]
        assert again == [Appended(receipt, replayed=True) for receipt in receipts]

    run(server, scenario)


def test_a_slice_begins_with_as_many_buckets_as_the_one_before_needed(
    server: LogServer, client: Redis
) -> None:
    slice_ = now_ms(client) // SLICE_MS
    client.hset(INDEX, str(slice_ - 1), 100_000)

    async def scenario(log: RedisMetricLog) -> None:
        receipt = (await log.append(published(), KEY)).receipt
        now = receipt.milliseconds // SLICE_MS
        assert client.hget(INDEX, f"{now}:level") == b"2"
        assert list(client.scan_iter(f"{INDEX}:{now}:2:*"))
        assert (await log.append(published(), KEY)) == Appended(receipt, replayed=True)

    run(server, scenario)


def test_records_of_the_earlier_release_count(server: LogServer, client: Redis) -> None:
    base = KEYS.idempotency(0)
    client.set(
        f"{base}:{earlier_record('gilt', 'key')}", f"{BODY.hex()} 1700000000000-3", px=60_000
    )

    async def scenario(log: RedisMetricLog) -> None:
        expected = Appended(Receipt(0, 1700000000000, 3), replayed=True)
        assert await log.append(published(), KEY) == expected
        with pytest.raises(IdempotencyConflict):
            await log.append(published(), OTHER_BODY)
        assert not (await log.append(published("other"), KEY)).replayed

    run(server, scenario)


def test_a_log_that_is_opened_knows_the_records_of_all_partitions(server: LogServer) -> None:
    organizations = [organizations_in(partition, 1)[0] for partition in range(4)]

    async def fill(log: RedisMetricLog) -> None:
        assert log.idempotency() == IdempotencyRecords(0, 4)
        for organization in organizations:
            await log.append(published(organization), KEY)

    async def refused(log: RedisMetricLog) -> None:
        assert log.idempotency() == IdempotencyRecords(4, 4)
        for organization in organizations:
            with pytest.raises(IdempotencyFull):
                await log.append(published(organization), Idempotency("new", BODY))
            assert (await log.append(published(organization), KEY)).replayed

    run(server, fill, 4, max_records=4)
    run(server, refused, 4, max_records=4)


def test_an_open_log_learns_of_the_records_of_others(server: LogServer) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        async def fill(other: RedisMetricLog) -> None:
            await other.append(published(organizations_in(1, 1)[0]), KEY)

        await asyncio.to_thread(run, server, fill, 4)
        async with asyncio.timeout(20):
            while not log.idempotency().records:  # noqa: ASYNC110  it counts on its own
                await asyncio.sleep(0.05)
        with pytest.raises(IdempotencyFull):
            await log.append(published(organizations_in(2, 1)[0]), KEY)

    run(server, scenario, 4, max_records=1)


def test_at_the_limit_there_is_room_again_once_a_slice_is_forgotten(
    server: LogServer, client: Redis
) -> None:
    slice_ = now_ms(client) // SLICE_MS
    client.hset(INDEX, str(slice_ - 3), 1)

    async def scenario(log: RedisMetricLog) -> None:
        with pytest.raises(IdempotencyFull):
            await log.append(published(), KEY)
        client.delete(INDEX)
        client.hset(INDEX, str(slice_ - 6), 1)
        assert not (await log.append(published(), KEY)).replayed

    run(server, scenario, max_records=1)


def test_the_memory_is_a_quarter_of_the_servers_or_a_gibibyte(own_server: LogServer) -> None:
    with Redis.from_url(own_server.url) as client:
        assert record_limit(client, None) == DEFAULT_MEMORY // BYTES_PER_RECORD
        client.config_set("maxmemory", 400 << 20)
        assert record_limit(client, None) == (100 << 20) // BYTES_PER_RECORD
        assert record_limit(client, 64 << 20) == (64 << 20) // BYTES_PER_RECORD
        assert record_limit(client, 1) == 1


def test_hashes_of_records_have_the_compact_encoding(server: LogServer, client: Redis) -> None:
    count = 3000

    async def scenario(log: RedisMetricLog) -> None:
        keys = [Idempotency(str(number), BODY) for number in range(count)]
        await asyncio.gather(*(log.append(published(), key) for key in keys))

    run(server, scenario)
    hashes = list(client.scan_iter(f"{INDEX}:*"))
    assert len(hashes) == 64
    assert sum(client.hlen(each) for each in hashes) == count
    assert {client.object("encoding", each) for each in hashes} == {b"listpack"}
    used = sum(client.memory_usage(each, samples=0) or 0 for each in hashes)
    assert used / count < BYTES_PER_RECORD


def test_counts_that_cannot_be_read_stay_as_they_were(server: LogServer, client: Redis) -> None:
    async def scenario(log: RedisMetricLog) -> None:
        await log.append(published(), KEY)
        counts = RecordCounts(KEYS, 1, (WINDOW_MS,), 10)
        await counts.read(log._connections)
        assert counts.now == IdempotencyRecords(1, 10)
        client.delete(INDEX)
        client.set(INDEX, "something else")
        await counts.read(log._connections)
        assert counts.now == IdempotencyRecords(1, 10)
        assert counts.allowed(0, WINDOW_MS) == 10
        client.delete(INDEX)

    run(server, scenario)
