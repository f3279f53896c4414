"""Describing metrics: an event has what is new, and what is known costs nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory.read_model import MemoryReadModel
from application.errors import LogUnavailable
from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.projections.errors import ProjectionMissing
from application.publishing import describe_metrics
from application.publishing.describe_metrics import (
    MAX_CHANGES,
    MEMORY_SECONDS,
    RETRY_SECONDS,
)
from application.publishing.ports import Appended, Idempotency
from application.reading.query_threads import QueryThreads
from application.use_cases import Limits
from domain.events import MetricEvent, MetricsDescribed
from domain.metric_description import MetricDescription, MetricType
from tests.application.doubles import AppendsSingly, FakeClock, FakeMonotonic, service_use_cases

GILT = Grant("gilt", None, "t1")
WEB = Grant("gilt", "web", "t2")
ACME = Grant("acme", None, "t3")

A = MetricDescription("a", MetricType.COUNTER, "s", "seconds spent")
B = MetricDescription("b", MetricType.GAUGE)
A2 = MetricDescription("a", MetricType.COUNTER, "s", "seconds spent so far")
A3 = MetricDescription("a", MetricType.GAUGE)


class Log(AppendsSingly):
    """A MetricLog that keeps events, or refuses them while it is broken."""

    def __init__(self) -> None:
        self.events: list[MetricsDescribed] = []
        self.broken = False
        self.gate: asyncio.Event | None = None

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        assert isinstance(event, MetricsDescribed)
        assert idempotency is None
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise LogUnavailable("no")
        self.events.append(event)
        return Appended(Receipt(0, len(self.events), 0))

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        raise AssertionError("descriptions have no key")

    def recorded(self) -> list[tuple[MetricDescription, ...]]:
        return [event.descriptions for event in self.events]


class Projection(MemoryReadModel):
    """A read model with the descriptions that a test sets, or without any projection."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[tuple[str, str | None], dict[str, MetricDescription]] = {}
        self.missing = False
        self.asked: list[tuple[str, str | None]] = []

    def has(self, grant: Grant, *descriptions: MetricDescription) -> None:
        of_owner = self.known.setdefault((grant.organization, grant.team), {})
        of_owner.update({description.name: description for description in descriptions})

    def descriptions(self, organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        assert threading.current_thread() is not threading.main_thread(), "it may block"
        self.asked.append((organization, team))
        if self.missing:
            raise ProjectionMissing("not yet")
        return self.known.get((organization, team), {})


class World:
    def __init__(self, max_memory: int = describe_metrics.MAX_MEMORY) -> None:
        self.log = Log()
        self.projection = Projection()
        self.monotonic = FakeMonotonic()
        self.threads = QueryThreads(1, patience=0.01)
        self.handler = service_use_cases(
            FakeClock(),
            metric_log=self.log,
            read_model=self.projection,
            limits=Limits(description_memory=max_memory),
            monotonic=self.monotonic,
            threads=self.threads,
        ).describe_metrics

    def __call__(self, *sent: MetricDescription, grant: Grant = GILT) -> Appended | None:
        return asyncio.run(self.handler(grant, sent))


@contextmanager
def opened(max_memory: int = describe_metrics.MAX_MEMORY) -> Iterator[World]:
    world = World(max_memory)
    try:
        yield world
    finally:
        world.threads.close()


@pytest.fixture
def world() -> Iterator[World]:
    with opened() as world:
        yield world


def test_new_descriptions_are_one_event_of_their_owner(world: World) -> None:
    assert world(A, B, grant=WEB) == Appended(Receipt(0, 1, 0))
    assert world.log.events == [
        MetricsDescribed(organization="gilt", team="web", token_id="t2", descriptions=(A, B))
    ]


def test_an_event_has_only_what_differs(world: World) -> None:
    world(A)
    assert world(A) is None
    assert world() is None
    world(A, B)
    world(A2, B)
    assert world(B, A2) is None
    assert world.log.recorded() == [(A,), (B,), (A2,)]


def test_what_the_projection_knows_is_not_recorded_again(world: World) -> None:
    world.projection.has(GILT, A, B)
    assert world(A, B) is None
    world(A2, B)
    assert world.log.recorded() == [(A2,)]


def test_the_projection_is_read_once_for_each_owner(world: World) -> None:
    world.projection.has(GILT, A)
    for _ in range(3):
        world(A)
        world(B)
        world(A, grant=WEB)
    assert world.projection.asked == [("gilt", None), ("gilt", "web")]
    assert world.log.recorded() == [(B,), (A,)]


def test_of_the_descriptions_of_a_name_the_last_one_counts(world: World) -> None:
    world(A, A2)
    assert world(A3, A2) is None
    assert world.log.recorded() == [(A2,)]


def test_without_the_projection_everything_is_new_once(world: World) -> None:
    world.projection.missing = True
    world(A)
    assert world(A) is None
    world(A, B)
    assert world.log.recorded() == [(A,), (B,)]
    assert len(world.projection.asked) == 1, "it is not asked all the time"


def test_the_projection_is_asked_again_after_a_while(world: World) -> None:
    world.projection.missing = True
    world(A)
    world.projection.missing = False
    world.projection.has(GILT, A, B)
    world.monotonic.seconds += RETRY_SECONDS
    assert world(A, B) is None
    assert len(world.projection.asked) == 2


def test_without_a_free_thread_everything_is_new(world: World) -> None:
    world.projection.has(GILT, A)
    release = threading.Event()

    async def scenario() -> None:
        busy = asyncio.create_task(world.threads.run(release.wait))
        await asyncio.sleep(0)
        try:
            await world.handler(GILT, (A,))
        finally:
            release.set()
            await busy

    asyncio.run(scenario())
    assert world.log.recorded() == [(A,)]


def test_a_projection_that_takes_too_long_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe_metrics, "PATIENCE", 0.01)
    release = threading.Event()

    def slowly(organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        release.wait()
        return {}

    monkeypatch.setattr(world.projection, "descriptions", slowly)
    try:
        world(A)
        assert world.log.recorded() == [(A,)]
    finally:
        release.set()


def test_what_was_not_appended_is_new_the_next_time(world: World) -> None:
    world.log.broken = True
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            world(A)
    world.log.broken = False
    world(A)
    assert world.log.recorded() == [(A,)]


def test_agents_that_start_together_record_what_they_share_once(world: World) -> None:
    async def scenario() -> list[Appended | None]:
        world.log.gate = asyncio.Event()
        sent = [asyncio.create_task(world.handler(GILT, (A, B))) for _ in range(20)]
        await asyncio.sleep(0.05)
        world.log.gate.set()
        return await asyncio.gather(*sent)

    appended = asyncio.run(scenario())
    assert world.log.recorded() == [(A, B)]
    assert sum(each is not None for each in appended) == 1


def test_no_task_is_needed_to_await_it(world: World) -> None:
    """As the protocol does, which has none for a plain publish."""

    async def scenario() -> Appended | None:
        done: asyncio.Future[Appended | None] = asyncio.get_running_loop().create_future()
        answering = world.handler(GILT, (A,))

        def advance(_: object = None) -> None:
            assert asyncio.current_task() is None
            try:
                answering.send(None).add_done_callback(advance)
            except StopIteration as end:
                done.set_result(end.value)

        asyncio.get_running_loop().call_soon(advance)
        return await done

    assert asyncio.run(scenario()) == Appended(Receipt(0, 1, 0))


def test_descriptions_that_change_in_turn_are_recorded_a_few_times_only(world: World) -> None:
    for _ in range(100):
        world(A, B)
        world(A2)
    assert world.log.recorded() == [(A, B), *[(A2,), (A,)] * 2][: MAX_CHANGES + 1]
    world.projection.has(GILT, *(event.descriptions[0] for event in world.log.events), B)
    world.monotonic.seconds += MEMORY_SECONDS
    for _ in range(100):
        world(A)
        world(A2)
    assert len(world.log.events) == 2 * MAX_CHANGES + 1


def test_what_other_workers_recorded_is_read_after_a_while(world: World) -> None:
    world(A)
    world.projection.has(GILT, A2)
    assert world(A) is None
    world.monotonic.seconds += MEMORY_SECONDS
    world(A)
    assert world.log.recorded() == [(A,), (A,)], "it has become another one meanwhile"


def test_what_was_erased_is_recorded_again_after_a_while(world: World) -> None:
    world.projection.has(GILT, A)
    world(A)
    world.projection.known.clear()
    world.monotonic.seconds += MEMORY_SECONDS
    world(A)
    assert world.log.recorded() == [(A,)]


def test_owners_used_least_recently_are_forgotten_and_read_again() -> None:
    size = describe_metrics.OVERHEAD + describe_metrics._bytes(A)
    with opened(max_memory=2 * size) as world:
        for grant in (GILT, WEB, ACME):
            world.projection.has(grant, A)
        for grant in (GILT, WEB, GILT, ACME, GILT, WEB):
            assert world(A, grant=grant) is None
        assert world.projection.asked == [
            ("gilt", None),
            ("gilt", "web"),
            ("acme", None),
            ("gilt", "web"),
        ]


def test_an_owner_that_is_too_large_to_remember_is_read_every_time() -> None:
    with opened(max_memory=1) as world:
        world.projection.has(GILT, A)
        for _ in range(3):
            assert world(A) is None
        assert len(world.projection.asked) == 3


sent = st.lists(
    st.tuples(
        st.sampled_from([GILT, WEB, ACME]),
        st.lists(
            st.builds(
                MetricDescription,
                st.sampled_from("abc"),
                unit=st.sampled_from(["", "s"]),
                help=st.sampled_from(["", "x" * 50]),
            ),
            max_size=4,
        ),
    ),
    max_size=20,
)


@given(sent, st.integers(0, 6000))
def test_whatever_is_sent_the_events_of_an_owner_end_with_what_was_sent_last(
    sent: Sequence[tuple[Grant, Sequence[MetricDescription]]], max_memory: int
) -> None:
    with opened(max_memory) as world:
        expected: dict[tuple[str, str | None], dict[str, MetricDescription]] = {}
        for grant, descriptions in sent:
            owner = expected.setdefault((grant.organization, grant.team), {})
            owner.update({description.name: description for description in descriptions})
            world(*descriptions, grant=grant)
            for event in world.log.events[-1:]:
                world.projection.has(
                    Grant(event.organization, event.team, event.token_id), *event.descriptions
                )
            world.monotonic.seconds += MEMORY_SECONDS / MAX_CHANGES
        for of_owner, last in expected.items():
            assert world.projection.known.get(of_owner, {}) == last
        size = sum(known.counted for known in world.handler._owners.values())
        assert size == world.handler._size <= max_memory
