"""Clocks that tests set, tokens with predictable names, and ports that fail on demand."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

from adapters.event_format.codec import MetricEventCodec
from adapters.eventsourcing.organizations import Organizations
from adapters.memory.active_series import MemoryActiveSeries
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.quota_buckets import MemoryQuotaBuckets
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.series_source import MemorySeriesSource
from adapters.memory.usage import MemoryUsageStore
from application.errors import LogError, VersionConflict
from application.event_log.receipts import Receipt
from application.organizations.issue_token import NewToken
from application.organizations.ports import (
    OrganizationLog,
    OrganizationRepository,
    RecordedOrganizationEvent,
)
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.publishing.ports import Appended, Idempotency, MetricLog
from application.reading.promql import InstantResult, Matrix, Scalar
from application.reading.query_budget import QueryBudget
from application.reading.query_threads import QueryThreads
from application.reading.series import Matcher, MatchOperator, Owner
from application.use_cases import Limits, LogPorts, ServicePorts, UseCases, compose
from domain.events import MetricEvent, MetricsPublished, OrganizationEvent
from domain.organization import Organization

NOW = datetime(2014, 4, 29, 16, 23, 45, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class FakeMonotonic:
    """A monotonic clock in seconds that stands still until it is advanced."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class CountedTokens:
    """Draws t1, t2, … with values that contain these ids; thread-safe."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def __call__(self) -> NewToken:
        number = next(self._numbers)
        return NewToken(f"t{number}", f"cave_value-{number}")


class OnePromql:
    """Evaluates every expression to 1 if there is time left, and needs no NumPy for that."""

    def instant(
        self,
        owner: Owner,
        expression: str,
        time: int,
        budget: QueryBudget,
        **_: object,
    ) -> InstantResult:
        budget.check_time()
        return Scalar(time, 1.0)

    def range(
        self,
        owner: Owner,
        expression: str,
        start: int,
        end: int,
        step: int,
        budget: QueryBudget,
        **_: object,
    ) -> Matrix:
        budget.take_steps((end - start) // step + 1)
        return Matrix([])

    def selector(self, text: str) -> Sequence[Matcher]:
        return []

    def matcher(self, name: str, operator: MatchOperator, value: str) -> Matcher:
        return Matcher(name, operator, value, lambda _: True)

    def formatted(self, expression: str) -> str:
        return expression


@contextmanager
def organizations_in_memory() -> Iterator[Organizations]:
    organizations = Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})
    try:
        yield organizations
    finally:
        organizations.close()


class Service:
    """All use cases on organizations, over one store."""

    def __init__(
        self, repository: OrganizationRepository, log: OrganizationLog, clock: FakeClock
    ) -> None:
        self.clock = clock
        ports = LogPorts(
            organizations=repository,
            organization_log=log,
            hot=MemoryMetricLog(clock),
            server=MemoryMetricLog(clock),
            codec=MetricEventCodec(),
            refused_points=MemoryRefusedPoints(clock),
            usage=MemoryUsageStore(),
        )
        self.manage = compose(ports, clock, CountedTokens()).manage


def service_use_cases(
    clock: FakeClock,
    *,
    organizations: Organizations | None = None,
    directory: TokenDirectory | None = None,
    metric_log: MetricLog | None = None,
    read_model: MemoryReadModel | None = None,
    log: MemoryMetricLog | None = None,
    limits: Limits | None = None,
    monotonic: FakeMonotonic | None = None,
    threads: QueryThreads | None = None,
) -> UseCases:
    """Compose a worker's use cases over the given adapters, by default those in memory."""
    organizations = organizations or Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})
    monotonic = monotonic or FakeMonotonic()
    log = log or MemoryMetricLog(clock)
    model = read_model or MemoryReadModel()
    ports = ServicePorts(
        organizations=organizations,
        organization_log=organizations,
        hot=log,
        server=log,
        codec=MetricEventCodec(),
        refused_points=MemoryRefusedPoints(clock),
        usage=MemoryUsageStore(),
        directory=directory or TokenDirectory(),
        metric_log=metric_log or log,
        log_health=log,
        queries=model,
        promql=OnePromql(),
        series=MemorySeriesSource(),
        positions=model,
        generations=model,
        quota_buckets=MemoryQuotaBuckets(monotonic),
        active_series=MemoryActiveSeries(clock),
        threads=threads or QueryThreads(2),
    )
    return compose(
        ports,
        clock,
        CountedTokens(),
        limits=limits or Limits(),
        monotonic=monotonic,
    )


class ConflictingRepository:
    """Wraps a repository so that another writer is faster a number of times (None: always)."""

    def __init__(
        self,
        repository: OrganizationRepository,
        times: int | None,
        intervene: Callable[[], None] = lambda: None,
    ) -> None:
        self._repository = repository
        self._left = times
        self._intervene = intervene
        self.finds = 0
        self.saves = 0

    def find(self, name: str) -> Organization | None:
        self.finds += 1
        return self._repository.find(name)

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        self.saves += 1
        if self._left is None or self._left > 0:
            self._left = None if self._left is None else self._left - 1
            self._intervene()
            raise VersionConflict("another writer was faster")
        self._repository.save_events(events)


class SwitchableLog:
    """An organizations' log that can be replaced, and that fails while `failure` is set."""

    def __init__(self, log: OrganizationLog) -> None:
        self.log = log
        self.failure: Exception | None = None
        self.failed = Event()
        self.reads: list[int] = []

    def read(self, after: int, limit: int) -> Sequence[RecordedOrganizationEvent]:
        self._check()
        self.reads.append(after)
        return self.log.read(after, limit)

    def last_position(self) -> int:
        self._check()
        return self.log.last_position()

    def wait(self, after: int) -> None:
        self._check()
        self.log.wait(after)

    def _check(self) -> None:
        if self.failure is not None:
            self.failed.set()
            raise self.failure


@contextmanager
def following(follower: DirectoryFollower) -> Iterator[Thread]:
    """Run a follower in a thread for the duration of the block."""
    thread = Thread(target=follower.run)
    thread.start()
    try:
        yield thread
    finally:
        follower.stop()
        thread.join(5)
    assert not thread.is_alive()


def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    """Wait until the condition holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.002)
    return True


class AppendsSingly:
    """The rest of a MetricLog whose `append` is the double."""

    single_server = True

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        raise NotImplementedError

    async def append_together(
        self, events: Sequence[MetricsPublished]
    ) -> Sequence[Receipt | LogError]:
        return [(await self.append(event)).receipt for event in events]

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        raise NotImplementedError
