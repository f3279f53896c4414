"""Replay and verify: alongside the live generation, resumable, exact."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from application.event_log.partitioning import partition_of
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionBusy, ProjectionMissing, StoreUnavailable
from application.projections.folds import METRIC_METADATA, POINTS
from application.projections.live import live_generation
from application.projections.ports import Generation, Role, SetAside
from application.projections.replay import ReplayProgress
from application.projections.runner import ProjectionRunner
from application.projections.verify import VerifyHandler
from domain.metric_description import MetricDescription
from tests.application.projections.world import Log, Stores, places, tools


def ignore(progress: ReplayProgress) -> None:
    """Ignore the progress."""


def feed(log: Log, stores: Stores, generation: Generation) -> None:
    with stores.open(generation) as store:
        while ProjectionRunner(log.reader, store, POINTS).step().events:
            pass


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def stores() -> Stores:
    return Stores()


@pytest.fixture
def live(log: Log, stores: Stores) -> Generation:
    log.publish_many(10)
    generation = stores.create(POINTS, Role.LIVE)
    feed(log, stores, generation)
    return generation


def test_a_rebuild_takes_the_place_of_the_live_one(
    log: Log, stores: Stores, live: Generation
) -> None:
    reported: list[ReplayProgress] = []
    replayed = tools(log, stores).replay.rebuild(POINTS, reported.append)
    assert (replayed.events, replayed.points) == (10, 20)
    assert reported[0] == ReplayProgress(0, 0, 10)
    assert reported[-1] == ReplayProgress(10, 20, 10)
    current = live_generation(stores, "points")
    assert current is not None
    assert current.number == replayed.generation.number != live.number
    assert stores.places(current) == stores.places(live)


@pytest.mark.parametrize("call", ["open", "before commit", "after commit"])
def test_an_interrupted_rebuild_leaves_the_live_one_alone_and_can_be_resumed(
    log: Log, stores: Stores, live: Generation, call: str
) -> None:
    def fault(now: str) -> None:
        if now == call:
            raise KeyboardInterrupt

    replay = tools(log, stores).replay
    stores.fault = fault
    with pytest.raises(KeyboardInterrupt):
        replay.rebuild(POINTS, ignore)
    stores.fault = lambda now: None
    assert live_generation(stores, "points") == live
    (unfinished,) = [g for g in stores.generations("points") if g.role is Role.BUILDING]
    replayed = replay.rebuild(POINTS, ignore)
    assert replayed.generation.number == unfinished.number
    assert replayed.events == (0 if call == "after commit" else 10)
    assert len(stores.rows(replayed.generation)) == 20


def test_an_interrupted_rebuild_can_be_restarted_or_dropped(
    log: Log, stores: Stores, live: Generation
) -> None:
    replay = tools(log, stores).replay
    unfinished = stores.create(POINTS, Role.BUILDING)
    assert replay.drop_unfinished(POINTS)
    assert not replay.drop_unfinished(POINTS)
    assert stores.generations("points") == [live]
    unfinished = stores.create(POINTS, Role.BUILDING)
    replayed = replay.rebuild(POINTS, ignore, restart=True)
    assert replayed.generation.number > unfinished.number


def test_a_rebuild_begun_by_an_older_release_is_not_resumed(
    log: Log, stores: Stores, live: Generation
) -> None:
    old = stores.create(replace(POINTS, version=0), Role.BUILDING)
    replayed = tools(log, stores).replay.rebuild(POINTS, ignore)
    assert replayed.generation.number > old.number
    assert replayed.generation.version == POINTS.version


def test_a_rebuild_begun_on_another_log_is_restarted(
    log: Log, stores: Stores, live: Generation
) -> None:
    unfinished = stores.create(POINTS, Role.BUILDING)
    feed(log, stores, unfinished)
    last = max(stores.info(unfinished).checkpoints.values(), key=lambda c: c.position)
    log.changed[Receipt.at(last.partition, last.position)] = None
    replayed = tools(log, stores).replay.rebuild(POINTS, ignore, accept_loss=True)
    assert replayed.generation.number > unfinished.number
    assert len(stores.rows(replayed.generation)) == 18


def test_a_swap_waits_until_the_rebuilt_one_has_caught_up(
    log: Log, stores: Stores, live: Generation
) -> None:
    swaps: list[bool] = []
    swap_in = stores.swap_in

    def racing(generation: Generation) -> bool:
        if len(swaps) < 3:
            log.publish_many(3)
            feed(log, stores, live)
        swaps.append(swap_in(generation))
        return swaps[-1]

    stores.swap_in = racing  # type: ignore[method-assign]
    replayed = tools(log, stores).replay.rebuild(POINTS, ignore)
    assert swaps == [False, False, False, True]
    assert len(stores.rows(replayed.generation)) == 38


def test_a_copy_has_the_events_recorded_before_its_time(
    log: Log, stores: Stores, live: Generation
) -> None:
    later = log.publish_many(5)
    replay = tools(log, stores).replay
    copied = replay.copy(POINTS, later[2].milliseconds, "then", ignore)
    assert (copied.generation.role, copied.generation.label) == (Role.COPY, "then")
    assert len(stores.rows(copied.generation)) == 24
    assert not set(stores.places(copied.generation)) & set(places(later[2:]))
    with pytest.raises(ProjectionBusy, match="then"):
        replay.copy(POINTS, None, "then", ignore)
    assert replay.drop_copy(POINTS, "then")
    assert not replay.drop_copy(POINTS, "then")


def test_nothing_is_left_of_a_copy_that_failed(log: Log, stores: Stores, live: Generation) -> None:
    def fault(call: str) -> None:
        if call == "after commit":
            raise StoreUnavailable(call)

    stores.fault = fault
    with pytest.raises(StoreUnavailable):
        tools(log, stores).replay.copy(POINTS, None, "now", ignore)
    assert stores.generations("points") == [live]


def verify(log: Log, stores: Stores) -> VerifyHandler:
    return tools(log, stores).verify


def test_a_live_generation_that_matches_the_log_agrees(
    log: Log, stores: Stores, live: Generation
) -> None:
    log.publish_many(4)  # not read yet: not compared
    stores.create(POINTS, Role.COPYING, label="verify")  # left by a crash
    verified = verify(log, stores)(POINTS, ignore)
    assert verified.agrees
    assert verified.rows == 20
    assert verified == verify(log, stores)(POINTS, ignore)
    assert stores.generations("points") == [live]


def test_descriptions_that_change_after_the_verification_began_are_not_compared(
    log: Log, stores: Stores
) -> None:
    live = stores.create(METRIC_METADATA, Role.LIVE)
    log.describe("gilt", MetricDescription("a"), MetricDescription("b"))
    with stores.open(live) as store:
        runner = ProjectionRunner(log.reader, store, METRIC_METADATA)
        while runner.step().events:
            pass
        before = verify(log, stores)(METRIC_METADATA, ignore)
        assert (before.agrees, before.rows) == (True, 2)
        log.describe("gilt", MetricDescription("a", help="another"))  # in the scratch copy only
        assert verify(log, stores)(METRIC_METADATA, ignore) == before

        def change(progress: ReplayProgress) -> None:
            log.describe("gilt", MetricDescription("b", help=str(progress.events)))
            if log.count(partition_of("gilt", log.partitions()), 0) < 9:
                runner.step()

        after = verify(log, stores)(METRIC_METADATA, change)
        assert (after.agrees, after.rows) == (True, 2)
    assert stores.info(live).rows > 3


@pytest.mark.parametrize("damage", ["missing", "doubled", "changed"])
def test_a_row_that_differs_from_the_log_is_found(
    log: Log, stores: Stores, live: Generation, damage: str
) -> None:
    rows = stores.rows(live)
    key = list(rows)[3]
    owner, receipt, row = rows[key]
    digest = verify(log, stores)(POINTS, ignore).digest
    match damage:
        case "missing":
            del rows[key]
        case "doubled":
            rows[*key, "again"] = rows[key]
        case _:
            rows[key] = owner, receipt, (*row, "changed")
    verified = verify(log, stores)(POINTS, ignore)
    assert not verified.agrees
    assert verified.digest != digest
    (difference,) = verified.differences
    assert (difference.organization, difference.team) == owner
    assert difference.live - difference.replayed == {"missing": -1, "doubled": 1}.get(damage, 0)


def test_events_that_only_one_of_the_two_set_aside_are_reported(
    log: Log, stores: Stores, live: Generation
) -> None:
    with stores.open(live) as store:
        aside = SetAside(log.publish_many(1)[0], "a bug of an older release")
        store.commit([], [aside], [])
    verified = verify(log, stores)(POINTS, ignore)
    assert verified.set_aside == (aside,)
    assert not verified.agrees


def test_there_must_be_something_to_verify(log: Log, stores: Stores) -> None:
    with pytest.raises(ProjectionMissing):
        verify(log, stores)(POINTS, ignore)


def test_a_copy_is_read_by_its_label_once_it_is_complete_and_not_before(
    log: Log, stores: Stores, live: Generation
) -> None:
    roles: list[Role] = []

    def look(_: object) -> None:
        roles.extend(g.role for g in stores.generations("points") if g.label == "now")

    copied = tools(log, stores).replay.copy(POINTS, None, "now", look)
    assert set(roles) == {Role.COPYING}
    assert stores.generations("points") == [live, copied.generation]
    assert copied.generation.role is Role.COPY


def test_a_copy_left_behind_by_a_crash_is_dropped_by_the_next_one_with_its_label(
    log: Log, stores: Stores, live: Generation
) -> None:
    stores.create(POINTS, Role.COPYING, label="now")
    other = stores.create(POINTS, Role.COPYING, label="other")
    copied = tools(log, stores).replay.copy(POINTS, None, "now", ignore)
    assert stores.generations("points") == [live, other, copied.generation]


def test_a_copy_that_is_being_made_is_left_to_its_maker(
    log: Log, stores: Stores, live: Generation
) -> None:
    making = stores.create(POINTS, Role.COPYING, label="now")
    with stores.open(making), pytest.raises(ProjectionBusy):
        tools(log, stores).replay.copy(POINTS, None, "now", ignore)
    assert stores.generations("points") == [live, making]
