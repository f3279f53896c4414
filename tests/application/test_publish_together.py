"""Publishing what arrives at the same time: each body is one event, as if it came alone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogError, LogFull, LogUnavailable
from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.publishing.ports import BodyTerms, MetricLog
from application.publishing.publish_together import PublishTogether, event_of
from application.usage.counter import UsageCounter
from domain.events import MetricsPublished
from domain.metric_point import PointBatch
from tests.application.doubles import NOW, FakeClock
from tests.application.test_publish_metrics import DAY_MS, GILT, MAX_POINTS, OTHER, StubFormat
from tests.contracts.metric_log import POINT, batch_of

ONE, TWO = batch_of([POINT]), batch_of([POINT, POINT])


class StubSharedFormat(StubFormat):
    """A format that decodes every body but `odd`."""

    def __init__(self) -> None:
        super().__init__()
        self.terms: BodyTerms | None = None

    def decode_together(
        self, bodies: Sequence[bytes], terms: BodyTerms
    ) -> Sequence[PointBatch | None]:
        self.terms = terms
        return [None if body == b"odd" else self.points for body in bodies]


class Together:
    """The use case over a log, by default one in memory; `limited` organizations have a quota."""

    def __init__(
        self, clock: FakeClock, log: MetricLog | None = None, limited: Sequence[str] = ()
    ) -> None:
        self.usage = UsageCounter()
        self.publish = PublishTogether(
            log or MemoryMetricLog(clock),
            self.usage,
            clock,
            max_future_ms=DAY_MS,
            max_points=MAX_POINTS,
            is_limited=lambda organization: organization in limited,
        )

    def append(self, *batches: tuple[Grant, PointBatch]) -> Sequence[Receipt | LogError]:
        return asyncio.run(self.publish([event_of(*batch) for batch in batches]))

    def points(self) -> dict[str, int]:
        return {name: usage.accepted for name, usage in self.usage.take().points.items()}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_each_batch_is_an_event_of_its_own_and_counted(clock: FakeClock) -> None:
    together = Together(clock)
    results = together.append((GILT, ONE), (OTHER, TWO), (GILT, TWO))
    assert len(set(results)) == 3
    assert all(isinstance(result, Receipt) for result in results)
    assert together.points() == {"gilt": 3, "other": 2}


def test_a_batch_that_is_refused_is_not_counted(clock: FakeClock) -> None:
    class AlmostFull(MemoryMetricLog):
        async def append_together(
            self, events: Sequence[MetricsPublished]
        ) -> Sequence[Receipt | LogError]:
            return [LogFull("no"), *await super().append_together(events[1:])]

    together = Together(clock, AlmostFull(clock))
    refused, stored = together.append((GILT, ONE), (GILT, TWO))
    assert isinstance(refused, LogFull)
    assert isinstance(stored, Receipt)
    assert together.points() == {"gilt": 2}


def test_an_error_of_the_log_is_raised_and_nothing_is_counted(clock: FakeClock) -> None:
    class Broken(MemoryMetricLog):
        async def append_together(
            self, events: Sequence[MetricsPublished]
        ) -> Sequence[Receipt | LogError]:
            raise LogUnavailable("no")

    together = Together(clock, Broken(clock))
    with pytest.raises(LogUnavailable):
        together.append((GILT, ONE))
    assert together.points() == {}


def test_organizations_with_a_quota_are_left_to_the_handler_that_charges_it(
    clock: FakeClock,
) -> None:
    together = Together(clock, limited=["gilt"])
    assert not together.publish.takes("gilt")
    assert together.publish.takes("other")


def test_bodies_are_decoded_with_the_limits_of_those_that_come_alone(clock: FakeClock) -> None:
    clock.advance(timedelta(milliseconds=1, microseconds=999))
    shared = StubSharedFormat()
    assert Together(clock).publish.decoded(shared, [b"a", b"odd"]) == [shared.points, None]
    now = int(NOW.timestamp()) * 1000 + 1
    assert shared.terms == BodyTerms(now + DAY_MS, now, MAX_POINTS)


def test_on_several_servers_every_batch_is_published_alone(clock: FakeClock) -> None:
    """A server that hangs then holds up only what goes to it."""

    class SeveralServers(MemoryMetricLog):
        @property
        def single_server(self) -> bool:
            return False

    assert Together(clock).publish.takes("gilt")
    assert not Together(clock, limited=["gilt"]).publish.takes("gilt")
    assert not Together(clock, SeveralServers(clock)).publish.takes("gilt")
