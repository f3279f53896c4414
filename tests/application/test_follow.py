"""Following the log: each event once, in the order of the log's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.usage import MemoryUsageStore
from application.event_log.follow import PAGE, FollowLog
from application.event_log.partitioning import partition_of
from application.event_log.ports import Entry, Extent, Recorded, UnreadableMetrics
from application.event_log.receipts import Receipt
from application.organizations.register_organization import RegisterOrganization
from application.use_cases import Commands, LogPorts, compose
from domain.errors import UnknownOrganization
from tests.application.doubles import CountedTokens, FakeClock, organizations_in_memory
from tests.contracts.metric_log import published
from tests.contracts.read_model import point

NAMES = [f"org{number}" for number in range(40)]


class Followed:
    """A log in memory and the use cases on it; `on_read` is called after each page read."""

    def __init__(self, organizations: Organizations, clock: FakeClock) -> None:
        self.clock = clock
        self.log = _Observed(clock)
        ports = LogPorts(
            organizations=organizations,
            organization_log=organizations,
            hot=self.log,
            server=self.log,
            codec=self.log.codec,
            refused_points=MemoryRefusedPoints(clock),
            usage=MemoryUsageStore(),
        )
        self.commands: Commands = compose(ports, clock, CountedTokens())

    def append(self, organization: str = "org0") -> Receipt:
        event = published(organization, None, [point(1, 1)])
        return asyncio.run(self.log.append(event)).receipt

    def append_later(self, organization: str = "org0", by: int = 1) -> Receipt:
        self.clock.advance(timedelta(milliseconds=by))
        return self.append(organization)

    def found(
        self, query: FollowLog | None = None, wait: Callable[[], bool] = lambda: False
    ) -> list[Receipt]:
        return [e.receipt for e in self.commands.follow_log(query or FollowLog(), wait)]


class _Observed(MemoryMetricLog):
    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.on_read: Callable[[], object] = lambda: None

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        page = super().read(partition, after, limit)
        self.on_read()
        return page


@pytest.fixture
def log(organizations: Organizations, clock: FakeClock) -> Followed:
    return Followed(organizations, clock)


def test_an_empty_log_has_no_events(log: Followed) -> None:
    assert log.found() == log.found(FollowLog(last=10)) == []


@given(
    appended=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 2**35)), max_size=20),
    last=st.integers(0, 25),
)
def test_the_last_events_are_the_end_of_all_in_the_order_of_the_clock(
    appended: list[tuple[str, int]], last: int
) -> None:
    with organizations_in_memory() as organizations:
        log = Followed(organizations, FakeClock())
        receipts = [log.append_later(organization, by) for organization, by in appended]
        receipts.sort(key=lambda r: (r.milliseconds, r.sequence, r.partition))
        assert log.found() == receipts
        assert log.found(FollowLog(last=last)) == receipts[max(len(receipts) - last, 0) :]


def test_each_event_is_returned_once_however_many_pages_and_while_others_come(
    log: Followed,
) -> None:
    receipts = [log.append() for _ in range(2 * PAGE + 1)]
    during: list[Receipt] = []

    def append_two() -> None:
        if len(during) < 2:
            during.append(log.append())

    log.log.on_read = append_two
    waits = iter([True, True, False])
    assert log.found(wait=lambda: next(waits)) == [*receipts, *during]
    assert len(during) == 2


def test_the_first_wait_comes_after_all_that_is_in_the_log(log: Followed) -> None:
    log.append()
    shown: list[Recorded] = []
    counts: list[int] = []

    def wait() -> bool:
        counts.append(len(shown))
        log.append()
        return len(counts) < 3

    for recorded in log.commands.follow_log(FollowLog(), wait):
        shown.append(recorded)  # noqa: PERF402  `wait` counts them meanwhile
    assert counts == [1, 2, 3]


def test_with_none_to_start_with_only_later_events_are_returned(log: Followed) -> None:
    log.append()
    later: list[Receipt] = []

    def wait() -> bool:
        later.append(log.append())
        return len(later) == 1

    assert log.found(FollowLog(last=0), wait) == later[:1]


def test_an_organization_gets_its_own_events_and_unreadable_ones_of_its_partition(
    log: Followed,
) -> None:
    log.commands.manage.register_organization(RegisterOrganization(name="org3"))
    receipts = {name: log.append_later(name) for name in NAMES}
    partition = partition_of("org3", log.log.partitions())
    assert sum(receipt.partition == partition for receipt in receipts.values()) > 1
    mine = FollowLog(organization="org3")
    assert log.found(mine) == [receipts["org3"]]
    assert log.found(FollowLog(organization="org3", last=5)) == [receipts["org3"]]

    log.log.add(partition, {b"topic": b"unknown"}, log.clock.now)
    *_, unreadable = log.commands.follow_log(mine, lambda: False)
    assert isinstance(unreadable, UnreadableMetrics)


def test_an_unknown_organization_fails_before_the_first_event(log: Followed) -> None:
    with pytest.raises(UnknownOrganization):
        log.commands.follow_log(FollowLog(organization="gilt"), lambda: False)
