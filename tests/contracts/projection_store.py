"""The contracts of ProjectionStores and ProjectionStore, for every adapter."""

from __future__ import annotations

import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from application.event_log.ports import RecordedDescriptions, RecordedEvent, RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections.errors import (
    ProjectionBusy,
    ProjectionMissing,
    RowsRefused,
    StoreUnavailable,
)
from application.projections.folds import (
    METRIC_METADATA,
    METRIC_NAMES,
    POINTS,
    Projection,
    metric_metadata,
    metric_names,
)
from application.projections.ports import (
    Checkpoint,
    Generation,
    OwnerDigest,
    ProjectionStore,
    ProjectionStores,
    Role,
    SetAside,
)
from domain.metric_description import MetricDescription, MetricType, Temporality
from tests.contracts.metric_log import (
    DESCRIPTIONS,
    NOT_FINITE,
    TRICKY_BATCHES,
    Point,
    described,
    published,
)

NEVER_STORED = 1 << 61
"""A time in milliseconds that does not fit any type of time."""

Owners = Mapping[tuple[str, str], OwnerDigest]


class ManualClock:
    """A clock in seconds since the epoch, set by the test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


OpenStores = Callable[[], AbstractContextManager[ProjectionStores]]


def recorded(
    partition: int,
    number: int,
    points: list[Point] | None = None,
    organization: str = "gilt",
    team: str | None = None,
) -> RecordedMetrics:
    """Return the event with the given number in its partition."""
    receipt = Receipt(partition, 1_700_000_000_000 + number, 0)
    digest = f"{partition}-{number}".encode().ljust(32, b".")
    return RecordedMetrics(receipt, published(organization, team, points), digest)


def describing(
    partition: int,
    number: int,
    *descriptions: MetricDescription,
    organization: str = "gilt",
    team: str | None = None,
) -> RecordedDescriptions:
    """Return the event with the given number in its partition."""
    known = recorded(partition, number)
    event = described(organization, team, descriptions)
    return RecordedDescriptions(known.receipt, event, known.digest)


def checkpoint(event: RecordedEvent) -> Checkpoint:
    return Checkpoint(event.receipt.partition, event.receipt.position, event.digest)


def commit(store: ProjectionStore, *events: RecordedMetrics) -> None:
    """Commit events as the projection `points` does."""
    last = {event.receipt.partition: checkpoint(event) for event in events}
    store.commit(list(events), [], list(last.values()))


def some_points(count: int, seed: int = 0) -> list[Point]:
    rng = random.Random(seed)
    return [
        (
            f"metric.{rng.randrange(5)}",
            1_700_000_000_000 + rng.randrange(3 * 86_400_000),
            rng.choice([0.0, -0.0, 1.5, rng.random()]),
            {"host": f"h{rng.randrange(9)}", "env": "production"},
        )
        for _ in range(count)
    ]


class ProjectionStoresContract(ABC):
    """Subclass it as `Test…` and implement how the stores are opened."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    @pytest.fixture
    @abstractmethod
    def open_stores(self, clock: ManualClock) -> OpenStores:
        """Return a function that opens the test's stores, keeping their contents."""

    @pytest.fixture
    def stores(self, open_stores: OpenStores) -> Iterator[ProjectionStores]:
        with open_stores() as stores:
            yield stores

    @pytest.fixture
    def live(self, stores: ProjectionStores) -> Generation:
        return stores.create(POINTS, Role.LIVE)

    def test_new_stores_are_empty(self, stores: ProjectionStores) -> None:
        assert list(stores.generations("points")) == []
        stores.drop_retired()

    def test_a_new_generation_is_empty(self, stores: ProjectionStores, live: Generation) -> None:
        for _ in range(2):
            info = stores.info(live)
            assert (dict(info.checkpoints), info.rows, list(info.set_aside)) == ({}, 0, [])
            assert dict(stores.digests(live)) == {}
            with stores.open(live) as store:
                assert dict(store.checkpoints()) == {}
                assert list(store.set_aside()) == []

    def test_generations_are_listed_in_order_with_all_their_attributes(
        self, stores: ProjectionStores
    ) -> None:
        made = [
            stores.create(POINTS, Role.LIVE),
            stores.create(Projection("points", 7, POINTS.fold), Role.BUILDING),
            stores.create(POINTS, Role.COPY, label="then", until=5),
        ]
        other = stores.create(METRIC_NAMES, Role.LIVE)
        assert list(stores.generations("points")) == made
        assert list(stores.generations("metric_names")) == [other]
        assert [(g.number, g.version, g.role, g.label, g.until) for g in made] == [
            (1, 1, Role.LIVE, None, None),
            (2, 7, Role.BUILDING, None, None),
            (3, 1, Role.COPY, "then", 5),
        ]

    def test_there_is_at_most_one_live_generation_and_one_copy_per_label(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        stores.create(POINTS, Role.COPY, label="a")
        stores.create(POINTS, Role.COPY, label="b")
        stores.create(METRIC_NAMES, Role.COPY, label="a")
        with pytest.raises(ProjectionBusy):
            stores.create(POINTS, Role.LIVE)
        with pytest.raises(ProjectionBusy):
            stores.create(POINTS, Role.COPY, label="a")
        assert len(stores.generations("points")) == 3

    def test_a_copy_has_its_label_while_it_is_made_and_becomes_a_copy_when_kept(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        making = stores.create(POINTS, Role.COPYING, label="a", until=5)
        for role in (Role.COPY, Role.COPYING):
            with pytest.raises(ProjectionBusy):
                stores.create(POINTS, role, label="a")
        kept = stores.keep(making)
        assert (kept.number, kept.role, kept.label, kept.until) == (
            making.number,
            Role.COPY,
            "a",
            5,
        )
        assert list(stores.generations("points")) == [live, kept]
        for generation in (kept, live):
            with pytest.raises(ProjectionMissing):
                stores.keep(generation)

    def test_of_many_concurrent_attempts_to_create_the_live_one_exactly_one_succeeds(
        self, stores: ProjectionStores
    ) -> None:
        gate = threading.Barrier(4)

        def contend(_: int) -> bool:
            gate.wait()
            try:
                stores.create(POINTS, Role.LIVE)
            except ProjectionBusy:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sorted(pool.map(contend, range(4))) == [False, False, False, True]
        assert len(stores.generations("points")) == 1

    def test_rows_checkpoints_and_events_set_aside_are_committed_together(
        self, stores: ProjectionStores, live: Generation, open_stores: OpenStores
    ) -> None:
        first, second = recorded(3, 1), recorded(4, 1, some_points(10))
        poison = SetAside(Receipt(4, 1_700_000_000_000, 0), "no such topic: \0 \udcff 'x'")
        with stores.open(live) as store:
            store.commit([first, second], [poison], [checkpoint(first), checkpoint(second)])
            expected = {3: checkpoint(first), 4: checkpoint(second)}
            assert dict(store.checkpoints()) == expected
            assert [event.receipt for event in store.set_aside()] == [poison.receipt]
        with open_stores() as again:
            info = again.info(live)
            assert (dict(info.checkpoints), info.rows) == (expected, 11)
            assert [event.receipt for event in info.set_aside] == [poison.receipt]
            assert info.set_aside[0].reason.startswith("no such topic")
            assert info.bytes > 0
            with again.open(live) as store:
                assert dict(store.checkpoints()) == expected

    def test_checkpoints_replace_those_of_their_partitions_only(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        with stores.open(live) as store:
            commit(store, recorded(0, 1), recorded(1, 1))
            commit(store, recorded(1, 2))
            store.commit([], [], [Checkpoint(7, 9, b"nine")])
            assert dict(store.checkpoints()) == {
                0: checkpoint(recorded(0, 1)),
                1: checkpoint(recorded(1, 2)),
                7: Checkpoint(7, 9, b"nine"),
            }
        assert stores.info(live).rows == 3

    @pytest.mark.parametrize("points", TRICKY_BATCHES.values(), ids=TRICKY_BATCHES)
    def test_any_points_of_the_contract_are_stored(
        self, stores: ProjectionStores, live: Generation, points: list[Point]
    ) -> None:
        with stores.open(live) as store:
            commit(store, recorded(0, 1, points), recorded(1, 1, points, "gilt", "web"))
        assert stores.info(live).rows == 2 * len(points)
        digests = stores.digests(live)
        assert digests["gilt", ""].rows == digests["gilt", "web"].rows == len(points)

    def test_events_without_points_only_move_the_checkpoint(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        with stores.open(live) as store:
            commit(store, recorded(0, 1, []))
            commit(store, recorded(0, 2), recorded(0, 3, []))
            assert store.checkpoints()[0] == checkpoint(recorded(0, 3))
        assert stores.info(live).rows == 1

    def test_rows_that_cannot_be_stored_are_refused_and_nothing_is_written(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        fine, poison = recorded(0, 1), recorded(0, 2, [("a", NEVER_STORED, 1.0, {})])
        beyond = recorded(0, 2, [("a", 1 << 80, 1.0, {})])
        with stores.open(live) as store:
            commit(store, fine)
            for refused in (poison, beyond):
                with pytest.raises(RowsRefused):
                    commit(store, recorded(0, 1, some_points(5)), refused)
                assert dict(store.checkpoints()) == {0: checkpoint(fine)}
                assert stores.info(live).rows == 1
            store.commit([], [SetAside(poison.receipt, "time")], [checkpoint(poison)])
            commit(store, recorded(0, 3))
        assert stores.info(live).rows == 2

    def test_points_of_very_many_days_are_stored(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        scattered = [("a", 7_777_777_777 * i, 1.0, {"i": str(i % 3)}) for i in range(9000)]
        with stores.open(live) as store:
            commit(store, recorded(0, 1, scattered))
            commit(store, recorded(0, 2, scattered))
        assert stores.info(live).rows == 18_000

    def test_metric_names_are_kept_once_with_the_first_receipt(
        self, stores: ProjectionStores, open_stores: OpenStores
    ) -> None:
        live = stores.create(METRIC_NAMES, Role.LIVE)
        once = stores.create(METRIC_NAMES, Role.BUILDING)
        first = [recorded(0, 1), recorded(0, 2, [("a", 0, 1.0, {"x": "y"})], team="web")]
        second = [recorded(0, 3), recorded(0, 4, [("a", 0, 1.0, {"x": "y", "z": "y"})])]
        with stores.open(live) as store:
            store.commit(metric_names(first), [], [checkpoint(first[-1])])
            store.commit(metric_names(first), [], [checkpoint(first[-1])])
        with open_stores() as again, again.open(live) as store:
            store.commit(metric_names(second), [], [checkpoint(second[-1])])
            store.commit(metric_names(second), [], [checkpoint(second[-1])])
            store.tidy()
        with stores.open(once) as store:
            store.commit(metric_names([*first, *second]), [], [checkpoint(second[-1])])
        assert stores.info(live).rows == stores.info(once).rows == 7
        assert dict(stores.digests(live)) == dict(stores.digests(once))

    def test_every_description_is_kept_with_its_event(
        self, stores: ProjectionStores, open_stores: OpenStores
    ) -> None:
        live = stores.create(METRIC_METADATA, Role.LIVE)
        once = stores.create(METRIC_METADATA, Role.BUILDING)
        events = [
            describing(0, 1, *DESCRIPTIONS),
            describing(0, 2, MetricDescription("a", MetricType.GAUGE)),
            describing(0, 3, MetricDescription("a"), team="web"),
            describing(0, 4, MetricDescription("a")),
        ]
        with stores.open(live) as store:
            store.commit(metric_metadata(events[:2]), [], [checkpoint(events[1])])
        with open_stores() as again, again.open(live) as store:
            for event in events[2:]:
                store.commit(metric_metadata([event]), [], [checkpoint(event)])
                store.tidy()
        with stores.open(once) as store:
            store.commit(metric_metadata(events), [], [checkpoint(events[-1])])
        rows = len(DESCRIPTIONS) + 3
        assert stores.info(live).rows == stores.info(once).rows == rows
        assert dict(stores.digests(live)) == dict(stores.digests(once))
        up_to = {0: events[1].receipt.position}
        assert stores.digests(live, up_to)["gilt", ""].rows == rows - 2, "as it was then"

    def test_digests_differ_for_any_change_of_a_description(self, stores: ProjectionStores) -> None:
        live = stores.create(METRIC_METADATA, Role.LIVE)
        sent = [
            MetricDescription("a"),
            MetricDescription("b"),
            MetricDescription("a", MetricType.GAUGE),
            MetricDescription("a", unit="s"),
            MetricDescription("a", help="s"),
            MetricDescription("a", temporality=Temporality.DELTA),
        ]
        events = [describing(0, 1, d, organization=f"o{i}") for i, d in enumerate(sent)]
        events += [
            describing(1, 1, sent[0], organization="partition"),
            describing(0, 2, sent[0], organization="position"),
        ]
        with stores.open(live) as store:
            store.commit(metric_metadata(events), [], [])
        digests = {owner.digest for owner in stores.digests(live).values()}
        assert len(digests) == len(events)

    def digest_of(self, stores: ProjectionStores, *commits: list[RecordedMetrics]) -> Owners:
        generation = stores.create(POINTS, Role.BUILDING)
        with stores.open(generation) as store:
            for events in commits:
                commit(store, *events)
            store.tidy()
        found = dict(stores.digests(generation))
        stores.drop(generation)
        return found

    def test_digests_do_not_depend_on_commits_and_their_order(
        self, stores: ProjectionStores
    ) -> None:
        events = [
            recorded(i % 3, i, some_points(20, i), f"org{i % 2}", "web" if i % 5 else None)
            for i in range(12)
        ]
        together = self.digest_of(stores, events)
        assert sum(owner.rows for owner in together.values()) == 240
        assert set(together) == {(f"org{i}", team) for i in range(2) for team in ("", "web")}
        apart = self.digest_of(stores, *([event] for event in reversed(events)))
        assert together == apart

    def test_digests_differ_for_any_change(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        a: Point = ("a", 1000, 0.0, {"x": "y"})
        b: Point = ("b", 1000, 0.0, {"x": "y"})
        batches: list[list[Point]] = [
            [a],
            [a, a],
            [a, b],
            [b, a],
            [b],
            [("a", 1001, 0.0, {"x": "y"})],
            [("a", 1000, 5e-324, {"x": "y"})],
            [("a", 1000, 0.0, {"x": "z"})],
            [("a", 1000, 0.0, {"y": "x"})],
            [("a", 1000, 0.0, {})],
        ]
        events = [recorded(0, 1, batch, f"org{i}") for i, batch in enumerate(batches)]
        events += [recorded(1, 1, [a], "partition"), recorded(0, 2, [a], "position")]
        same: list[Point] = [("a", 1000, -0.0, {"x": "y"})]
        events += [recorded(0, 1, same, "same"), recorded(0, 1, [a], "org0", "web")]
        with stores.open(live) as store:
            for event in events:
                commit(store, event)
        found = dict(stores.digests(live))
        assert found.pop(("same", "")) == found.pop(("org0", "web")) == found["org0", ""]
        assert len(found) == len({(owner.rows, owner.digest) for owner in found.values()}) == 12

    def test_digests_tell_values_apart_that_are_not_finite(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        """A stale marker is not another NaN."""
        events = [
            recorded(0, 1, [("a", 0, value, {})], f"org{number}")
            for number, value in enumerate(NOT_FINITE)
        ]
        with stores.open(live) as store:
            commit(store, *events)
        found = stores.digests(live)
        assert len({owner.digest for owner in found.values()}) == len(NOT_FINITE)

    def test_digests_up_to_positions_leave_out_later_events(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        early, late, other = recorded(0, 1), recorded(0, 2), recorded(1, 1, some_points(3))
        with stores.open(live) as store:
            commit(store, early, other)
            before = stores.digests(live)
            commit(store, late)
            up_to = {0: early.receipt.position, 1: other.receipt.position}
            assert dict(stores.digests(live, up_to)) == dict(before)
            assert dict(stores.digests(live)) != dict(before)
            assert stores.digests(live, {1: other.receipt.position})["gilt", ""].rows == 3
            assert dict(stores.digests(live, {})) == {}

    def test_a_generation_has_one_writer_at_a_time(
        self, stores: ProjectionStores, live: Generation, open_stores: OpenStores
    ) -> None:
        building = stores.create(POINTS, Role.BUILDING)
        assert stores.info(live).writers == ()
        with stores.open(live), open_stores() as other:
            assert [writer.here for writer in other.info(live).writers] == [True]
            with pytest.raises(ProjectionBusy), other.open(live):
                pytest.fail("two writers")
            with pytest.raises(ProjectionBusy):
                other.drop(live)
            with other.open(building) as store:
                commit(store, recorded(0, 1))
                with pytest.raises(ProjectionBusy):
                    stores.drop(building)
        assert stores.info(live).writers == ()
        with open_stores() as other, other.open(live) as store:
            commit(store, recorded(0, 1))
        stores.drop(building)

    def test_a_writer_beside_the_only_one_cannot_double_anything(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        """The lock is not relied on: each commit checks the checkpoints it was made from."""
        event = recorded(0, 1)
        with stores.open(live) as store, self.second_writer(stores, live) as second:
            assert dict(second.checkpoints()) == {}
            commit(store, event)
            with pytest.raises(StoreUnavailable):
                commit(second, event)
            assert dict(second.checkpoints()) == {0: checkpoint(event)}
            commit(second, recorded(0, 2))
            with pytest.raises(StoreUnavailable):
                commit(store, recorded(0, 3))
            assert stores.info(live).rows == 2

    @abstractmethod
    def second_writer(
        self, stores: ProjectionStores, generation: Generation
    ) -> AbstractContextManager[ProjectionStore]:
        """Open a generation like another process that ignores the lock."""

    def test_a_generation_can_be_swapped_in_where_there_is_no_live_one(
        self, stores: ProjectionStores
    ) -> None:
        building = stores.create(POINTS, Role.BUILDING)
        assert stores.swap_in(building)
        (only,) = stores.generations("points")
        assert (only.number, only.role) == (building.number, Role.LIVE)

    def test_a_swap_is_refused_while_the_live_one_has_read_further(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        building = stores.create(POINTS, Role.BUILDING)
        with stores.open(live) as ahead, stores.open(building) as store:
            commit(ahead, recorded(0, 1), recorded(1, 1))
            assert not stores.swap_in(building)
            commit(store, recorded(0, 5))
            assert not stores.swap_in(building)
            assert [g.role for g in stores.generations("points")] == [Role.LIVE, Role.BUILDING]
            commit(store, recorded(1, 1))
            assert stores.swap_in(building)
        assert [g.role for g in stores.generations("points")] == [Role.RETIRED, Role.LIVE]
        assert stores.info(stores.generations("points")[1]).rows == 2

    def test_a_stopped_one_is_replaced_however_far_it_has_read(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        building = stores.create(POINTS, Role.BUILDING)
        with stores.open(live) as ahead:
            commit(ahead, recorded(0, 9))
        assert not stores.swap_in(building)
        stores.stop(live, "the log lost what it had read")
        assert stores.swap_in(building)

    def test_a_generation_that_is_not_being_built_is_not_swapped_in(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        dropped = stores.create(POINTS, Role.BUILDING)
        stores.drop(dropped)
        for generation in (dropped, live, stores.create(POINTS, Role.COPY, label="x")):
            with pytest.raises(ProjectionMissing):
                stores.swap_in(generation)
        assert [g.role for g in stores.generations("points")] == [Role.LIVE, Role.COPY]

    def test_a_retired_generation_is_kept_for_queries_that_read_it_then_removed(
        self, stores: ProjectionStores, live: Generation, clock: ManualClock
    ) -> None:
        with stores.open(live) as store:
            commit(store, recorded(0, 1))
            building = stores.create(POINTS, Role.BUILDING)
            with stores.open(building) as other:
                commit(other, recorded(0, 1))
            assert stores.swap_in(building)
            stores.drop_retired()
            clock.now += 59
            stores.drop_retired()
            assert stores.info(live).rows == 1
            clock.now += 10
            stores.drop_retired()
            assert len(stores.generations("points")) == 2, "its writer has it open still"
        clock.now += 10
        stores.drop_retired()
        assert [g.number for g in stores.generations("points")] == [building.number]
        with pytest.raises(ProjectionMissing), stores.open(live):
            pytest.fail("opened a removed generation")

    def test_numbers_are_never_reused(self, stores: ProjectionStores) -> None:
        for number in (1, 2, 3):
            generation = stores.create(POINTS, Role.COPY, label="x")
            assert generation.number == number
            with stores.open(generation) as store:
                commit(store, recorded(0, 1))
            stores.drop(generation)
            assert list(stores.generations("points")) == []
            stores.drop(generation)

    def test_the_live_generation_is_not_dropped(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        with stores.open(live) as store:
            commit(store, recorded(0, 1))
        with pytest.raises(ProjectionBusy):
            stores.drop(live)
        assert stores.info(live).rows == 1
        assert list(stores.generations("points")) == [live]

    def test_a_stopped_generation_has_a_reason_until_it_resumes(
        self, stores: ProjectionStores, live: Generation, open_stores: OpenStores
    ) -> None:
        stores.stop(live, "the log's events are not those 'read' before")
        with open_stores() as again:
            (stopped,) = again.generations("points")
            assert stopped.stopped == "the log's events are not those 'read' before"
            assert stopped != live
            again.stop(live, None)
        assert list(stores.generations("points")) == [live]

    def test_a_generation_can_be_looked_at_while_it_is_written(
        self, stores: ProjectionStores, live: Generation
    ) -> None:
        """Each look finds the rows that belong to the checkpoints."""
        done = threading.Event()
        seen: list[int] = []

        def look() -> None:
            while not done.is_set():
                info = stores.info(live)
                last = info.checkpoints.get(0)
                number = 0 if last is None else Receipt.at(0, last.position).milliseconds
                assert info.rows == 10 * max(0, number - 1_700_000_000_000)
                seen.append(info.rows)

        with stores.open(live) as store, ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look)
            try:
                for number in range(1, 31):
                    commit(store, recorded(0, number, some_points(10, number)))
                    store.tidy()
            finally:
                done.set()
            looking.result()
        assert seen == sorted(seen)
        assert stores.info(live).rows == 300
