"""Keeping a live generation up to date through failures."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import pytest
import structlog
from msgspec.structs import replace

from application.errors import LogUnavailable
from application.projections.errors import StoreFull, StoreUnavailable
from application.projections.folds import POINTS
from application.projections.live import (
    TIDY_EVERY,
    LiveProjection,
    live_generation,
    rebuild_hint,
)
from application.projections.ports import Checkpoint, Generation, Role
from application.projections.runner import MAX_POINTS
from application.projections.shared_pages import SharedPages
from tests.application.projections.world import Log, Stores, batch, places
from tests.waiting import wait_until

_T = TypeVar("_T")


@contextmanager
def running(log: Log, stores: Stores, version: int = 1) -> Iterator[None]:
    stop = threading.Event()
    projection = replace(POINTS, version=version)
    live = LiveProjection(SharedPages(log.reader), stores, projection, interval=0.001, pause=0.001)
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(5)
        assert not thread.is_alive()


def live(stores: Stores) -> Generation:
    found = live_generation(stores, "points")
    assert found is not None
    return found


def projected(stores: Stores) -> list[tuple[int, int]]:
    found = live_generation(stores, "points")
    return [] if found is None else stores.places(found)


def checkpoints(stores: Stores) -> list[Checkpoint]:
    return list(stores.info(live(stores)).checkpoints.values())


def failing(times: int, error: Exception) -> Callable[[str], None]:
    left = [times]

    def fault(call: str) -> None:
        if left[0]:
            left[0] -= 1
            raise error

    return fault


def test_it_makes_the_live_generation_and_follows_the_log() -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(5)
    with running(log, stores):
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
        receipts += log.publish_many(5)
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
    assert live(stores).version == 1


def test_it_stands_by_while_another_process_writes_and_then_takes_over() -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(5)
    held = stores.create(POINTS, Role.LIVE)
    with structlog.testing.capture_logs() as logged, ExitStack() as runs:
        with stores.open(held):
            runs.enter_context(running(log, stores))
            wait_until(lambda: logged)
            assert projected(stores) == []
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
    events = [(entry["event"], entry["log_level"]) for entry in logged]
    assert events == [("projection stands by", "info"), ("projection resumed", "info")]


@pytest.mark.parametrize(
    "error",
    [LogUnavailable("away"), StoreUnavailable("locked"), StoreFull("full"), ZeroDivisionError()],
    ids=lambda error: type(error).__name__,
)
def test_it_resumes_after_any_failure_of_log_or_store(error: Exception) -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(10)
    log.fault = failing(7, error)
    stores.fault = failing(5, error)
    # Captured instead of printed: rendering tracebacks takes seconds.
    with structlog.testing.capture_logs(), running(log, stores):
        wait_until(lambda: projected(stores) == sorted(places(receipts)))


def test_a_generation_that_does_not_match_the_log_is_stopped_with_the_reason() -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(4)
    with running(log, stores):
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
    log.changed[receipts[-1]] = None
    with running(log, stores):
        wait_until(lambda: live(stores).stopped is not None)
    assert str(receipts[-1]) in (live(stores).stopped or "")
    assert projected(stores) == sorted(places(receipts))
    assert rebuild_hint("points") == "rebuild it: cave replay points"


def test_a_generation_of_another_version_is_stopped_until_it_is_rebuilt() -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(3)
    with running(log, stores):
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
    log.publish_many(3)
    with running(log, stores, version=2):
        wait_until(lambda: live(stores).stopped is not None)
        assert "version" in (live(stores).stopped or "")
        assert len(projected(stores)) == 6
        rebuilt = stores.create(replace(POINTS, version=2), Role.BUILDING)
        with stores.open(rebuilt) as store:
            store.commit(list(map(log.batch, receipts)), [], checkpoints(stores))
        assert stores.swap_in(rebuilt)
        wait_until(lambda: len(projected(stores)) == 12)


def test_it_continues_with_a_generation_that_was_swapped_in() -> None:
    log, stores = Log(), Stores()
    receipts = log.publish_many(4)
    with running(log, stores):
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
        rebuilt = stores.create(POINTS, Role.BUILDING)
        with stores.open(rebuilt) as store:
            store.commit(list(map(log.batch, receipts)), [], checkpoints(stores))
        assert stores.swap_in(rebuilt)
        receipts += log.publish_many(4)
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
    assert live(stores).number == rebuilt.number


def test_it_continues_with_the_partitions_that_it_writes_now() -> None:
    """Those it has gained from their checkpoints on, and no event twice."""
    log, stores = Log(), Stores()
    receipts = log.publish_many(8)
    part = {0}
    stores.part = part
    with running(log, stores):
        wait_until(
            lambda: projected(stores) == sorted(places(r for r in receipts if r.partition == 0))
        )
        stores.part = {0, 1, 2}
        wait_until(lambda: projected(stores) == sorted(places(receipts)))
        stores.part = set()
        wait_until(lambda: stores.balanced == stores.part)
        log.publish_many(8)
        stores.part = {0, 1, 2}
        wait_until(lambda: len(projected(stores)) == 32)


class Timed:
    """A Priority that keeps how late each work was, and for which each takes some seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self.seconds = 0.0
        self.late: list[float] = []

    def run(self, work: Callable[[], _T], late: float = 0.0) -> _T:
        self.late.append(late)
        self.now += self.seconds
        return work()


@contextmanager
def timed(log: Log, priority: Timed, stores: Stores | None = None) -> Iterator[None]:
    """Run a projection with that priority and its clock."""
    stop = threading.Event()
    live = LiveProjection(
        SharedPages(log.reader),
        stores or Stores(),
        POINTS,
        priority=priority,
        interval=INTERVAL,
        pause=INTERVAL,
        monotonic=lambda: priority.now,
    )
    thread = threading.Thread(target=live.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


INTERVAL = 0.001


def test_it_is_late_if_long_ago_it_had_read_all_of_the_log() -> None:
    priority = Timed()
    with timed(Log(), priority):
        wait_until(lambda: len(priority.late) > 2)
        assert priority.late[0] == math.inf  # it has yet to find out how much there is
        assert max(priority.late[1:]) <= 0
        priority.seconds = 3.0
        wait_until(lambda: priority.late[-1] == pytest.approx(3.0 - INTERVAL))
        priority.seconds = 0.0
        wait_until(lambda: priority.late[-1] <= 0)


def test_a_step_that_leaves_something_to_read_does_not_make_it_punctual() -> None:
    log, priority = Log(), Timed()
    priority.seconds = 1.0
    log.publish("gilt", batch([1.0] * MAX_POINTS))
    with timed(log, priority):
        wait_until(lambda: len(priority.late) > 2)
    assert priority.late[:2] == [math.inf] * 2
    assert priority.late[2] == pytest.approx(1.0 - INTERVAL)


@pytest.mark.parametrize(("seconds", "rounds"), [(0.0, 0), (TIDY_EVERY / 4, 1), (TIDY_EVERY, 5)])
def test_maintenance_waits_while_there_is_more_to_read_but_not_for_long(
    seconds: float, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("application.projections.live.MAX_POINTS", 10)
    log, priority, stores = Log(), Timed(), Stores()
    calls: list[str] = []
    stores.fault = calls.append
    priority.seconds = seconds
    for _ in range(6):
        log.publish("gilt", batch([1.0] * 10))
    with timed(log, priority, stores):
        wait_until(lambda: calls.count("after commit") == 6 and calls[-1] == "tidy")
    last_commit = [at for at, call in enumerate(calls) if call == "after commit"][-1]
    assert calls[:last_commit].count("tidy") == rounds
