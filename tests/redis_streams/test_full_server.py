"""A server that is really full: what withdraws access and what reads works, the rest is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, Tracking
from redis import Redis
from redis.exceptions import OutOfMemoryError

from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams import Factory
from adapters.redis_streams.functions import EVENTS, METRICS
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.settings import settle_partitions
from application.errors import LogFull
from application.publishing.ports import Appended, Idempotency
from domain.errors import IdempotencyConflict
from domain.organization import create_team
from tests.contracts.metric_log import PARTITIONS, published
from tests.domain.samples import NOW, History
from tests.redis_streams.support import event, history
from tests.redis_streams.test_metric_log import opened, stored
from tests.servers import LogServer

FILLER = "filler"
URGENT = "withdrawn"


@pytest.fixture
def full(own_server: LogServer) -> Iterator[Redis]:
    """A client of `own_server`, to fill it and to make room."""
    with Redis.from_url(own_server.url) as client:
        yield client


def fill(client: Redis) -> None:
    """Write some megabytes and limit the memory to less than that, so that little frees none."""
    client.config_set("maxmemory", 0)
    for _ in range(16):
        client.xadd(FILLER, {"x": b"x" * (256 << 10)})
    used: Any = client.info("memory")
    client.config_set("maxmemory", used["used_memory"] - (2 << 20))
    with pytest.raises(OutOfMemoryError):
        client.xadd(FILLER, {"x": b""})


def make_room(client: Redis) -> None:
    """Delete what `fill` wrote, which a full server allows."""
    client.delete(FILLER)


def without_functions(client: Redis) -> None:
    """Leave the server as one that has never seen this release."""
    client.function_flush()


@pytest.mark.parametrize("loaded", [True, False])
def test_events_of_chosen_topics_are_recorded_and_everything_can_be_read(
    own_server: LogServer, make_factory: Callable[..., Factory], full: Redis, loaded: bool
) -> None:
    make_factory(own_server).application_recorder().insert_events(history("a", 3))
    if not loaded:
        without_functions(full)
    fill(full)
    recorder = make_factory(own_server, TOPICS_WHEN_FULL=f"x, {URGENT}").application_recorder()
    assert recorder.select_events("a") == history("a", 3)
    assert recorder.select_events("a", desc=True, limit=1) == history("a", 3)[-1:]
    assert recorder.insert_events([event("a", 4, URGENT)]) == [4]
    assert recorder.insert_events([event("a", 5, URGENT), event("b", 1, "x")]) == [5, 6]
    assert [n.id for n in recorder.select_notifications(1, 10)] == [1, 2, 3, 4, 5, 6]
    assert recorder.max_notification_id() == 6


@pytest.mark.parametrize("loaded", [True, False])
def test_events_of_other_topics_are_refused_until_there_is_room(
    own_server: LogServer, make_factory: Callable[..., Factory], full: Redis, loaded: bool
) -> None:
    recorder = make_factory(own_server, TOPICS_WHEN_FULL=URGENT).process_recorder()
    if not loaded:
        without_functions(full)
    fill(full)
    for refused in ([event("a", 1)], [event("a", 1, URGENT), event("a", 2)]):
        with pytest.raises(OperationalError):
            recorder.insert_events(refused)
    with pytest.raises(OperationalError):
        recorder.insert_tracking(Tracking("up", 1))
    assert recorder.max_notification_id() is None
    make_room(full)
    assert recorder.insert_events([event("a", 1)]) == [1]
    recorder.insert_tracking(Tracking("up", 1))


def test_the_rules_of_versions_hold_on_a_full_server_too(
    own_server: LogServer, make_factory: Callable[..., Factory], full: Redis
) -> None:
    recorder = make_factory(own_server, TOPICS_WHEN_FULL=URGENT).application_recorder()
    recorder.insert_events([event("a", 1)])
    for loaded in (True, False):
        if not loaded:
            make_room(full)
            without_functions(full)
        fill(full)
        for version in (1, 3):
            with pytest.raises(IntegrityError):
                recorder.insert_events([event("a", version, URGENT)])
    assert recorder.max_notification_id() == 1


def test_a_library_is_loaded_as_soon_as_there_is_room(
    own_server: LogServer, make_factory: Callable[..., Factory], full: Redis
) -> None:
    fill(full)
    recorder = make_factory(own_server).application_recorder()
    assert recorder.select_events("a") == []
    assert not full.function_list(EVENTS.name)
    make_room(full)
    assert recorder.select_events("a") == []
    assert full.function_list(EVENTS.name)


def test_of_the_organizations_events_a_full_server_takes_revocations_only(
    own_server: LogServer, full: Redis
) -> None:
    def open_organizations() -> Organizations:
        return Organizations(
            {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": own_server.url}
        )

    history = History().token("t1").token("t2")
    with closing(open_organizations()) as organizations:
        organizations.save_events(history.events)
    without_functions(full)
    fill(full)
    with closing(open_organizations()) as organizations:
        with pytest.raises(LogFull):
            organizations.save_events(create_team(history.state, "web", NOW))
        organizations.save_events(history.revoked("t1").events[-1:])
        found = organizations.find("gilt")
        assert found is not None
        assert found.version == len(history.events)
        assert len(organizations.read(0, 10)) == found.version


@pytest.mark.parametrize("loaded", [True, False])
def test_publishing_is_refused_as_full_and_recovers_by_itself(
    own_server: LogServer, full: Redis, loaded: bool
) -> None:
    async def scenario() -> None:
        keyed = Idempotency("key", b"body")
        async with opened(own_server) as ports:
            if loaded:
                METRICS.load(full)
            fill(full)
            for idempotency in (None, keyed):
                with pytest.raises(LogFull):
                    await ports.log.append(published(), idempotency)
            make_room(full)
            await ports.log.append(published())
            first = await ports.log.append(published(), keyed)
            assert await ports.log.append(published(), keyed) == Appended(
                first.receipt, replayed=True
            )
        assert len(stored(own_server)) == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("loaded", [True, False])
def test_a_key_that_is_remembered_is_still_answered(
    own_server: LogServer, full: Redis, loaded: bool
) -> None:
    async def scenario() -> None:
        async with opened(own_server) as ports:
            first = await ports.log.append(published(), Idempotency("key", b"body"))
            fill(full)
            if not loaded:
                without_functions(full)
            again = await ports.log.append(published(), Idempotency("key", b"body"))
            assert again == Appended(first.receipt, replayed=True)
            with pytest.raises(IdempotencyConflict):
                await ports.log.append(published(), Idempotency("key", b"other body"))
            with pytest.raises(LogFull):
                await ports.log.append(published(), Idempotency("new", b"body"))
        assert len(stored(own_server)) == 1

    asyncio.run(scenario())


def test_the_log_can_be_opened_and_read_and_a_new_one_cannot_be_created(
    own_server: LogServer, full: Redis
) -> None:
    async def scenario() -> None:
        async with opened(own_server) as ports:
            appended = await ports.log.append(published())
        fill(full)
        async with opened(own_server):
            assert [entry.receipt for entry in stored(own_server)] == [appended.receipt]

    asyncio.run(scenario())
    other = MetricKeys("other")
    with pytest.raises(LogFull):
        settle_partitions(full, other, None)
    make_room(full)
    assert settle_partitions(full, other, PARTITIONS) == PARTITIONS
