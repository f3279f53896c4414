"""The runner: each event exactly once, in log order, whatever it contains and whatever fails."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from application.event_log.ports import Entry, RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.event_log.tiered import TieredLog
from application.projections.errors import ProjectionDiverged, StoreUnavailable
from application.projections.folds import METRIC_METADATA, METRIC_NAMES, POINTS, Projection, Rows
from application.projections.ports import Role
from application.projections.runner import ProjectionRunner
from domain.metric_description import MetricDescription
from tests.application.projections.world import Log, Store, Stores, batch, places


def run_to_the_end(runner: ProjectionRunner) -> None:
    while runner.step().events:
        pass


@given(
    sizes=st.lists(st.integers(1, 7), max_size=30),
    max_points=st.integers(1, 40),
    first=st.integers(0, 30),
)
def test_every_point_is_projected_once_in_the_order_of_its_partition(
    sizes: list[int], max_points: int, first: int
) -> None:
    log, store = Log(), Store()
    receipts = []
    for number, size in enumerate(sizes):
        receipts.append(log.publish(f"o{number % 5}", batch([1.0] * size)))
        if number == first:
            run_to_the_end(ProjectionRunner(log.reader, store, POINTS, max_points=max_points))
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS, max_points=max_points))
    wanted = [p for r, size in zip(receipts, sizes, strict=True) for p in places([r], size)]
    for partition in range(log.partitions()):
        found = [place for place in store.places if place[0] == partition]
        assert found == [place for place in wanted if place[0] == partition]


@pytest.mark.compressed
def test_a_commit_stays_within_its_limit_unless_a_single_event_exceeds_it() -> None:
    log, store = Log(), Store()
    log.publish_many(60)
    log.publish("gilt", batch([1.0] * 50))
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS, max_points=10))
    assert sum(store.commits) == 170
    *others, most = sorted(store.commits)
    assert 50 <= most <= 60
    assert max(others) <= 11


EVENTS = st.lists(st.tuples(st.sampled_from("pd"), st.integers(1, 7), st.integers(0, 4)))


@given(EVENTS, st.integers(1, 40))
def test_events_of_the_other_type_only_move_the_positions_on(
    sent: list[tuple[str, int, int]], max_points: int
) -> None:
    log = Log()
    batches, descriptions = [], []
    for kind, size, owner in sent:
        if kind == "p":
            batches += places([log.publish(f"o{owner}", batch([1.0] * size))], size)
        else:
            of_event = [MetricDescription(f"m{n}") for n in range(size)]
            descriptions += places([log.describe(f"o{owner}", *of_event)], size)
    ends = [log.entries.last_position(partition) for partition in range(log.partitions())]
    for projection, wanted in (
        (POINTS, batches),
        (METRIC_NAMES, None),
        (METRIC_METADATA, descriptions),
    ):
        stores = Stores()
        live = stores.create(projection, Role.LIVE)
        with stores.open(live) as store:
            runner = ProjectionRunner(log.reader, store, projection, max_points=max_points)
            run_to_the_end(runner)
            assert runner.positions == ends
            assert store.set_aside() == []
        if wanted is not None:
            assert stores.places(live) == sorted(wanted)


def test_the_points_of_a_step_are_those_it_passed() -> None:
    log = Log()
    log.publish("gilt", batch([1.0] * 5))
    log.describe("gilt", MetricDescription("a"), MetricDescription("b"))
    for projection in (POINTS, METRIC_METADATA):
        progress = ProjectionRunner(log.reader, Store(), projection).step()
        assert (progress.events, progress.points) == (2, 5)


def test_events_that_are_skipped_are_not_decoded() -> None:
    log, store = Log(), Store()
    log.publish_many(1)
    log.put(
        Entry(
            Receipt(0, 1 << 42, 0),
            {b"topic": b"metrics.published.v1", b"encoding": b"zstd", b"payload": b"damaged"},
        )
    )
    run_to_the_end(ProjectionRunner(log.reader, store, METRIC_METADATA))
    assert store.set_aside() == []
    run_to_the_end(ProjectionRunner(log.reader, store_of_points := Store(), POINTS))
    assert len(store_of_points.set_aside()) == 1


def test_large_events_that_are_skipped_are_read_few_at_a_time() -> None:
    log, limits = Log(), []

    class Counted(TieredLog):
        def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
            limits.append(limit)
            return super().read(partition, after, limit)

    for _ in range(40):
        log.publish("gilt", batch([1.0] * 100))
    reader = MetricLogReader(Counted(log, log.codec), log.codec)
    run_to_the_end(ProjectionRunner(reader, Store(), METRIC_METADATA, max_points=500))
    assert max(limits) <= 1 + 500 // 100


def test_no_partition_waits_until_another_one_is_read_to_its_end() -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(60)
    runner = ProjectionRunner(log.reader, store, POINTS, max_points=4)
    for _ in range(2 * log.partitions()):
        runner.step()
    assert {partition for partition, _ in store.places} == {r.partition for r in receipts}


def test_events_recorded_from_until_on_are_left_out() -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(10)
    runner = ProjectionRunner(log.reader, store, POINTS, until=receipts[6].milliseconds)
    run_to_the_end(runner)
    assert sorted(store.places) == sorted(places(receipts[:6]))


def test_an_unreadable_entry_is_set_aside_and_the_others_are_projected() -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(9)
    log.make_unreadable(receipts[4])
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    (set_aside,) = store.set_aside()
    assert (set_aside.receipt, set_aside.reason) == (receipts[4], "the topic 'garbage' is unknown")
    assert sorted(store.places) == sorted(places([*receipts[:4], *receipts[5:]]))


@pytest.mark.parametrize("poisoned", [[0], [8], [3, 4], list(range(9))])
def test_exactly_the_events_that_a_store_cannot_take_are_set_aside(poisoned: list[int]) -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(9)
    store.poison = {receipts[n] for n in poisoned}
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    assert {e.receipt for e in store.set_aside()} == store.poison
    assert {e.reason for e in store.set_aside()} == {"no column can hold it"}
    rest = [r for r in receipts if r not in store.poison]
    assert sorted(store.places) == sorted(places(rest))


def test_an_event_that_the_fold_fails_on_is_set_aside_with_the_reason() -> None:
    def fold(events: list[RecordedMetrics]) -> Rows:
        if any(event.event.organization == "acme" for event in events):
            raise KeyError("acme")
        return events

    log, store = Log(), Store()
    receipts = log.publish_many(8)
    run_to_the_end(ProjectionRunner(log.reader, store, Projection("points", 1, fold)))  # type: ignore[arg-type]
    assert {e.receipt for e in store.set_aside()} == {receipts[1], receipts[5]}
    assert {e.reason for e in store.set_aside()} == {"KeyError: 'acme'"}
    assert len(store.places) == 12


def test_a_log_that_lost_events_already_read_is_not_followed() -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(4)
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    log.changed[receipts[-1]] = None
    with pytest.raises(ProjectionDiverged, match=str(receipts[-1])):
        ProjectionRunner(log.reader, store, POINTS).check_continuity()
    log.publish_many(8)
    before = len(store.places)
    with pytest.raises(ProjectionDiverged, match="no longer in the log"):
        run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    assert receipts[-1].partition not in {partition for partition, _ in store.places[before:]}


def test_a_log_that_gave_an_id_to_another_event_is_not_followed() -> None:
    log, store = Log(), Store()
    receipts = log.publish_many(4)
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    another = log.entries.read(receipts[-1].partition, receipts[-1].position - 1, 1)[0]
    log.changed[receipts[-1]] = replace(another, fields={**another.fields, b"more": b""})
    with pytest.raises(ProjectionDiverged, match="differs from the one that was read before"):
        ProjectionRunner(log.reader, store, POINTS).check_continuity()


@given(seed=st.integers(0, 1 << 32))
def test_failures_anywhere_neither_lose_nor_duplicate_a_point(seed: int) -> None:
    log, store, chance = Log(), Store(), random.Random(seed)
    receipts = log.publish_many(12)

    def fault(call: str) -> None:
        if chance.random() < 0.3:
            raise StoreUnavailable(call)

    log.fault = store.fault = fault
    for _ in range(500):
        try:
            runner = ProjectionRunner(log.reader, store, POINTS, max_points=5)
            runner.check_continuity()
            run_to_the_end(runner)
        except StoreUnavailable:
            continue
        break
    log.fault = store.fault = lambda call: None
    run_to_the_end(ProjectionRunner(log.reader, store, POINTS))
    assert sorted(store.places) == sorted(places(receipts))


def test_only_the_partitions_that_a_store_writes_are_read() -> None:
    log = Log()
    receipts = [log.publish(f"o{n}", batch([1.0, 2.0])) for n in range(40)]
    stores = [Store([0, 2]), Store([1]), Store([])]
    for store in stores:
        runner = ProjectionRunner(log.reader, store, POINTS)
        runner.check_continuity()
        run_to_the_end(runner)
        assert {partition for partition, _ in store.places} == set(store.part)
    projected = [place for store in stores for place in store.places]
    assert sorted(projected) == sorted(places(receipts))


def test_a_gap_in_a_partition_that_another_store_writes_is_its_business() -> None:
    log = Log()
    for n in range(40):
        log.publish(f"o{n}", batch([1.0]))
    last = Receipt.at(1, log.entries.last_position(1))
    log.note_lost(Receipt(1, last.milliseconds + 1, 0))
    ProjectionRunner(log.reader, Store([0, 2]), POINTS).check_continuity()
