"""The metric log on real servers: the ports' contracts, and faults that only servers have."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, closing, contextmanager
from typing import Any

import pytest
from redis import Redis

from adapters.event_format.compression import inflated
from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams.metrics.hot_log import COUNT_PAGE
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from adapters.redis_streams.server import check_version, weaknesses
from application.errors import (
    LogFull,
    LogSaturated,
    LogUnavailable,
    LogUnfit,
    OutcomeUnknown,
)
from application.event_log.ports import RecordedMetrics, UnreadableEvent, UnreadableMetrics
from application.event_log.receipts import SEQUENCE_BITS, Receipt
from application.publishing.ports import Appended, Idempotency
from domain.events import MetricEvent, MetricsPublished
from domain.metric_point import MAX_TIMESTAMP, PointBatch, TagSet
from tests.contracts.entry_log import EntryLogContract, Fields, RawLog
from tests.contracts.metric_log import (
    PARTITIONS,
    MetricLogContract,
    MetricLogPorts,
    described,
    published,
)
from tests.contracts.organizations import OrganizationPorts, OrganizationsContract
from tests.event_format.support import earlier_fields
from tests.redis_streams.cases import FLAVOURS
from tests.redis_streams.conftest import Servers
from tests.redis_streams.support import entries_of, reader_of
from tests.servers import LogServer

KEYS = MetricKeys("cave")
ROUND = 50


@asynccontextmanager
async def opened(server: LogServer, **limits: Any) -> AsyncIterator[MetricLogPorts]:
    with Redis.from_url(server.url) as client:
        settle_partitions(client, KEYS, PARTITIONS)
        log = RedisMetricLog(server.url, KEYS, PARTITIONS, **limits)
        await log.open()
        try:
            yield MetricLogPorts(log, entries_of(client, KEYS, PARTITIONS))
        finally:
            await log.close()


def stored(server: LogServer) -> list[RecordedMetrics]:
    """Return all events, in every partition."""
    with Redis.from_url(server.url) as client:
        reader = reader_of(client, KEYS, PARTITIONS)
        found = [entry for p in range(PARTITIONS) for entry in reader.read(p, 0, 100_000)]
    assert all(isinstance(entry, RecordedMetrics) for entry in found)
    return [entry for entry in found if isinstance(entry, RecordedMetrics)]


class TestTieredRedisLog(EntryLogContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @contextmanager
    def open_entries(self) -> Iterator[RawLog]:
        with Redis.from_url(self.server.url) as client:

            def add(partition: int, fields: Fields) -> Receipt:
                event_id: Any = client.xadd(KEYS.log(partition), dict(fields))
                return Receipt.parse(f"{partition}-{event_id.decode()}")

            yield RawLog(entries_of(client, KEYS, PARTITIONS), add)


class TestRedisMetricLog(MetricLogContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    @asynccontextmanager
    async def open_log(self, **limits: int) -> AsyncIterator[MetricLogPorts]:
        async with opened(self.server, **limits) as ports:
            yield ports


class TestOrganizationsOnRedis(OrganizationsContract):
    @pytest.fixture(autouse=True, params=FLAVOURS)
    def on_a_server(self, request: pytest.FixtureRequest, servers: Servers) -> None:
        self.server = servers.get(request.param)

    def open_organizations(self) -> AbstractContextManager[OrganizationPorts]:
        with Redis.from_url(self.server.url) as client:
            client.flushall()
        return closing(
            Organizations(
                {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": self.server.url}
            )
        )


def test_concurrent_appends_share_writes_and_each_is_stored_once(server: LogServer) -> None:
    async def scenario() -> list[Receipt]:
        async with opened(server) as ports:
            appended = await asyncio.gather(*(ports.log.append(published()) for _ in range(ROUND)))
            return [each.receipt for each in appended]

    with Redis.from_url(server.url) as client:
        client.config_resetstat()
        receipts = asyncio.run(scenario())
        stats = client.info("stats")
    assert len(set(receipts)) == ROUND
    assert sorted(entry.receipt for entry in stored(server)) == sorted(receipts)
    # Reads from sockets: far fewer than one per append.
    assert stats["total_reads_processed"] < ROUND


def test_appends_are_refused_during_an_outage_and_work_again_after_it(
    own_server: LogServer,
) -> None:
    async def scenario() -> None:
        async with opened(own_server) as ports:
            first = (await ports.log.append(published())).receipt
            own_server.kill()
            await asyncio.sleep(0.05)
            with pytest.raises(LogUnavailable):
                await ports.log.append(published())
            own_server.start()
            receipt = await until_appended(ports)
            assert [entry.receipt for entry in stored(own_server)] == sorted([first, receipt])

    asyncio.run(scenario())


def test_the_outcome_is_unknown_if_the_connection_dies_during_a_write(
    own_server: LogServer,
) -> None:
    async def scenario() -> None:
        async with opened(own_server) as ports:
            own_server.pause()
            waiting = asyncio.ensure_future(ports.log.append(published()))
            await asyncio.sleep(0.05)
            queued = asyncio.ensure_future(ports.log.append(published()))
            await asyncio.sleep(0.05)
            own_server.kill()
            with pytest.raises(OutcomeUnknown):
                await waiting
            with pytest.raises(LogUnavailable):  # never sent
                await queued
            own_server.start()
            await until_appended(ports)
            assert len(stored(own_server)) <= 2

    asyncio.run(scenario())


async def until_appended(ports: MetricLogPorts) -> Receipt:
    """Append as soon as the connection is back."""
    async with asyncio.timeout(20):
        while True:
            try:
                return (await ports.log.append(published())).receipt
            except LogUnavailable:
                await asyncio.sleep(0.02)


def test_appends_beyond_the_limit_of_waiting_bytes_are_refused(own_server: LogServer) -> None:
    async def scenario() -> None:
        async with opened(own_server, max_waiting=1000) as ports:
            own_server.pause()
            waiting: list[asyncio.Future[Appended]] = []
            while not waiting or not waiting[-1].done():
                waiting.append(asyncio.ensure_future(ports.log.append(published())))
                await asyncio.sleep(0)
            with pytest.raises(LogSaturated):
                await waiting.pop()
            own_server.resume()
            receipts = [appended.receipt for appended in await asyncio.gather(*waiting)]
            assert sorted(e.receipt for e in stored(own_server)) == sorted(receipts)

    asyncio.run(scenario())


def test_a_full_server_is_reported_and_nothing_is_written(own_server: LogServer) -> None:
    async def scenario() -> None:
        with Redis.from_url(own_server.url) as client:
            async with opened(own_server) as ports:
                client.config_set("maxmemory", 1)
                for idempotency in (None, Idempotency("key", b"body")):
                    with pytest.raises(LogFull):
                        await ports.log.append(published(), idempotency)
                client.config_set("maxmemory", 0)
                assert stored(own_server) == []
                await ports.log.append(published(), Idempotency("key", b"body"))
        assert len(stored(own_server)) == 1

    asyncio.run(scenario())


def test_the_server_remembers_a_key_across_restarts_and_connections(
    own_server: LogServer,
) -> None:
    async def append() -> tuple[Receipt, bool]:
        async with opened(own_server) as ports:
            appended = await ports.log.append(published(), Idempotency("key", b"body"))
            return appended.receipt, appended.replayed

    receipt, replayed = asyncio.run(append())
    assert not replayed
    own_server.kill()
    own_server.start()
    assert asyncio.run(append()) == (receipt, True)
    assert len(stored(own_server)) == 1


def test_two_connections_race_with_one_key_and_one_event_is_stored(server: LogServer) -> None:
    async def scenario() -> set[Receipt]:
        async with opened(server) as one, opened(server) as other:
            appended = await asyncio.gather(
                *(
                    ports.log.append(published(), Idempotency("key", b"body"))
                    for _ in range(10)
                    for ports in (one, other)
                )
            )
            assert sum(not each.replayed for each in appended) == 1
            return {each.receipt for each in appended}

    assert len(asyncio.run(scenario())) == len(stored(server)) == 1


def test_closing_answers_every_append_in_progress(server: LogServer) -> None:
    async def scenario() -> list[Receipt]:
        async with opened(server) as ports:
            begun = [asyncio.ensure_future(ports.log.append(published())) for _ in range(ROUND)]
            await asyncio.sleep(0)
        return [(await each).receipt for each in begun]

    assert len(set(asyncio.run(scenario()))) == len(stored(server)) == ROUND


def test_unreadable_entries_are_reported_as_such_and_the_others_are_read(server: LogServer) -> None:
    with Redis.from_url(server.url) as client:
        client.xadd(KEYS.log(0), {"topic": "from.elsewhere", "x": "y"})
        client.xadd(KEYS.log(0), {"topic": "metrics.published.v999"})
        reader = reader_of(client, KEYS, PARTITIONS)
        entries = reader.read(0, 0, 10)
        assert [type(entry) for entry in entries] == [UnreadableMetrics] * 2
        assert len({entry.digest for entry in entries}) == 2
        assert [entry.digest for entry in reader.read(0, 0, 10)] == [e.digest for e in entries]
        with pytest.raises(UnreadableEvent, match=str(entries[0].receipt)):
            reader.get(entries[0].receipt)


def test_entries_above_a_position_are_counted_once_each(server: LogServer) -> None:
    entries = 2 * COUNT_PAGE + 1
    with Redis.from_url(server.url) as client, client.pipeline() as pipeline:
        for number in range(entries):
            pipeline.xadd(KEYS.log(0), {"number": number}, id=f"1000-{number}")
        pipeline.execute()
        before = Receipt(0, 1000, 0).position
        assert entries_of(client, KEYS, PARTITIONS).count(0, before) == entries - 1


def test_an_entry_whose_sequence_no_position_can_hold_is_an_error_that_names_it(
    server: LogServer,
) -> None:
    with Redis.from_url(server.url) as client:
        client.xadd(KEYS.log(0), {"topic": "x"}, id=f"1000-{1 << SEQUENCE_BITS}")
        log = entries_of(client, KEYS, PARTITIONS)
        with pytest.raises(LogUnfit, match=f"0-1000-{1 << SEQUENCE_BITS}"):
            log.read(0, 0, 10)
        with pytest.raises(LogUnfit, match=f"0-1000-{1 << SEQUENCE_BITS}"):
            log.last_position(0)


@pytest.fixture
def client(server: LogServer) -> Iterator[Redis]:
    with Redis.from_url(server.url) as client:
        yield client


def test_the_number_of_partitions_is_fixed_when_the_log_is_created(client: Redis) -> None:
    assert settle_partitions(client, KEYS, 3) == 3
    assert settle_partitions(client, KEYS, None) == 3
    with pytest.raises(LogUnfit, match=r"3.*4|4.*3"):
        settle_partitions(client, KEYS, 4)


def test_settings_that_may_lose_writes_are_reported(own_server: LogServer) -> None:
    weak = {
        "appendfsync": "everysec",
        "no-appendfsync-on-rewrite": "yes",
        "maxmemory-policy": "allkeys-lru",
        "appendonly": "no",
    }
    with Redis.from_url(own_server.url) as client:
        check_version(client)
        assert list(weaknesses(client)) == []
        for name, value in weak.items():
            client.config_set(name, value)
            assert any(name in words for words in weaknesses(client)), name


def test_a_server_that_was_full_can_be_opened_appended_to_and_read_again(
    own_server: LogServer,
) -> None:
    async def scenario() -> None:
        async with opened(own_server) as ports:
            await ports.log.append(published())
        with Redis.from_url(own_server.url) as client:
            client.config_set("maxmemory", 1)
            async with opened(own_server) as ports:
                for idempotency in (None, Idempotency("key", b"body")):
                    with pytest.raises(LogFull):
                        await ports.log.append(published(), idempotency)
                assert len(stored(own_server)) == 1
                client.config_set("maxmemory", 0)
                await ports.log.append(published(), Idempotency("key", b"body"))
        assert len(stored(own_server)) == 2

    asyncio.run(scenario())


def test_functions_that_were_flushed_are_loaded_again(server: LogServer) -> None:
    async def scenario() -> None:
        async with opened(server) as ports:
            first = await ports.log.append(published(), Idempotency("key", b"body"))
            with Redis.from_url(server.url) as client:
                client.function_flush()
            again = await ports.log.append(published(), Idempotency("key", b"body"))
            assert again == Appended(first.receipt, replayed=True)

    asyncio.run(scenario())


def batch(**changes: Sequence[Any]) -> PointBatch:
    """Return two points as columns, with the given columns changed."""
    columns: dict[str, Any] = {
        "names": ["a", "b"],
        "timestamps": [0, MAX_TIMESTAMP],
        "values": [1.0, -1.7976931348623157e308],
        "tag_sets": [TagSet(()), TagSet((("host", "a"),))],
    }
    return PointBatch(**{**columns, **changes})


def event_of(points: PointBatch) -> MetricsPublished:
    return MetricsPublished(organization="gilt", team=None, token_id="t1", points=points)


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (batch(), None),
        (batch(values=[1.7976931348623157e308] * 2), None),
        (batch(values=[1.0, math.nan]), "not finite"),
        (batch(values=[-math.inf, 1.0]), "not finite"),
        (batch(timestamps=[0, -1]), "out of range"),
        (batch(timestamps=[MAX_TIMESTAMP + 1, 0]), "out of range"),
        (batch(names=["a", "2 bad"]), "a name must match"),
        (batch(tag_sets=[TagSet(()), TagSet((("host", "a\0"),))]), "tag"),
        (batch(tag_sets=[TagSet((("", "a"),)), TagSet(())]), "tag"),
    ],
)
def test_an_entry_with_invalid_points_is_not_an_event(
    client: Redis, points: PointBatch, reason: str | None
) -> None:
    event = event_of(points)
    fields: Any = earlier_fields(event, 1)
    client.xadd(KEYS.log(0), fields)
    (entry,) = reader_of(client, KEYS, PARTITIONS).read(0, 0, 10)
    if reason is None:
        assert isinstance(entry, RecordedMetrics)
        assert entry.event == event
    else:
        assert isinstance(entry, UnreadableMetrics)
        assert reason in entry.reason


@pytest.mark.parametrize("key", [None, Idempotency("k1", b"1")], ids=["no key", "key"])
def test_every_event_is_written_with_the_current_topic(
    server: LogServer, key: Idempotency | None
) -> None:
    """Whatever was remembered of the token's appends before."""
    events: list[MetricEvent] = [
        event_of(batch()),
        described("gilt"),
        event_of(batch(values=[1.0, math.inf])),
    ]

    async def scenario() -> list[Receipt]:
        async with opened(server) as ports:
            keys = [key and Idempotency(f"k{n}", b"1") for n in range(len(events))]
            return [
                (await ports.log.append(event, each)).receipt
                for event, each in zip(events, keys, strict=True)
            ]

    receipts = asyncio.run(scenario())
    with Redis.from_url(server.url) as client:
        topics = [
            fields[b"topic"]
            for receipt in receipts
            for _, fields in client.xrange(
                KEYS.log(receipt.partition), receipt.event_id, receipt.event_id
            )
        ]
    assert topics == [b"p.v3", b"metrics.described.v1", b"p.v3"]


def test_values_are_packed_once_the_compiled_code_is_loaded(server: LogServer) -> None:
    points = PointBatch(["a"] * 100, [0] * 100, [n / 4 for n in range(100)], [TagSet(())] * 100)

    async def scenario() -> None:
        async with opened(server) as ports:
            while True:
                receipt = (await ports.log.append(event_of(points))).receipt
                entry = ports.entries.find(receipt)
                assert entry is not None
                if len(inflated(entry.fields)) < 400:  # as floats, the values take 800
                    return
                await asyncio.sleep(0.01)

    asyncio.run(scenario())
    assert {each.event.points == points for each in stored(server)} == {True}
