"""Reading the log once: what one projection has read is given to others, and nothing else is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from adapters.event_format.codec import MetricEventCodec
from application.errors import LogUnavailable
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionDiverged, StoreUnavailable
from application.projections.folds import (
    METRIC_METADATA,
    METRIC_NAMES,
    POINTS,
    PROJECTIONS,
    Projection,
)
from application.projections.live import LiveProjection, live_generation
from application.projections.pages import LAST, checkpoint_of
from application.projections.ports import Checkpoint
from application.projections.runner import ProjectionRunner
from application.projections.shared_pages import EVENT_BYTES, SharedPages, SharedReader
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet
from tests.application.projections.world import Log, Store, Stores, batch
from tests.waiting import wait_until

OWNER = "gilt"
PARTITION = 0
START = Checkpoint(PARTITION, 0, b"")
"""The organization whose events the tests read, the partition they are in, and its beginning."""


class Counting(MetricEventCodec):
    decoded = 0

    def decode(self, fields: Mapping[bytes, bytes]) -> MetricEvent:
        self.decoded += 1
        return super().decode(fields)


class World:
    """A log and its shared pages. Counts reads of the log's server, and events decoded."""

    def __init__(self, max_held: int = 1 << 20) -> None:
        self.log = Log()
        self.codec = Counting()
        self.pages = SharedPages(MetricLogReader(self.log.entries, self.codec), max_held)
        self.opened = ExitStack()
        self.reads = 0
        self.log.fault = self.count

    def count(self, call: str) -> None:
        self.reads += call == "read"

    def reader(self, event: type[MetricEvent] = MetricsPublished) -> SharedReader:
        """Return a reader at the beginning of the partition."""
        reader = self.opened.enter_context(self.pages.reader(event))
        reader.begin([0, LAST, LAST])
        return reader

    def publish(self, count: int) -> list[Receipt]:
        return [self.log.publish(OWNER, batch([1.0])) for _ in range(count)]


class Reading:
    """A projection's way through the partition, checked as it goes."""

    def __init__(self, world: World, event: type[MetricEvent] = MetricsPublished) -> None:
        self.pages = world.reader(event)
        self.known = START
        self.seen: list[Receipt] = []

    def page(self, limit: int = 1000) -> int:
        page = self.pages.after(self.known, limit)
        assert len(page) <= limit
        if page:
            self.known = checkpoint_of(page[-1])
        self.seen += [entry.receipt for entry in page]
        return len(page)

    def to_the_end(self) -> list[Receipt]:
        while self.page():
            pass
        return self.seen


STEPS = st.lists(
    st.tuples(st.sampled_from(["publish", "read", "begin"]), st.integers(0, 2), st.integers(1, 9)),
    max_size=60,
)


@given(STEPS, st.sampled_from([0, 10 * EVENT_BYTES, 1 << 20]))
def test_each_reader_gets_every_event_once_in_order_whatever_the_others_do(
    steps: list[tuple[str, int, int]], max_held: int
) -> None:
    world = World(max_held)
    readings = [Reading(world, e) for e in (MetricsPublished, MetricsPublished, MetricsDescribed)]
    receipts: list[Receipt] = []
    for action, which, count in steps:
        match action:
            case "publish":
                receipts += world.publish(count)
            case "read":
                readings[which].page(count)
            case _:
                readings[which].pages.begin([readings[which].known.position, LAST, LAST])
        assert world.pages.held <= max_held
    for reading in readings:
        assert reading.to_the_end() == receipts


class Projecting:
    """All projections of a world, each with a runner."""

    def __init__(self, world: World) -> None:
        self.stores = [Store() for _ in PROJECTIONS]
        self.runners = []
        for projection, store in zip(PROJECTIONS, self.stores, strict=True):
            pages = world.opened.enter_context(world.pages.reader(projection.event))
            runner = ProjectionRunner(world.pages.log, store, projection, pages=pages)
            pages.begin(runner.positions)
            self.runners.append(runner)

    def to_the_end(self) -> None:
        for runner in self.runners:
            while runner.step().events:
                pass


def test_projections_near_each_other_decode_each_event_once() -> None:
    world = World()
    world.publish(30)
    projecting = Projecting(world)
    for _ in range(3):
        world.log.describe(OWNER, MetricDescription("orders"))
        receipts = world.publish(5)
        projecting.to_the_end()
    assert world.codec.decoded == 30 + 3 * 6
    assert all(
        runner.positions[PARTITION] == receipts[-1].position for runner in projecting.runners
    )
    assert [len(store.places) for store in projecting.stores] == [45, 0, 0]
    assert world.pages.held == 0


def test_an_event_that_cannot_be_read_is_set_aside_only_where_its_type_is_folded() -> None:
    world = World()
    points, descriptions, unknown = (
        world.publish(2)[1],
        Receipt(0, 1 << 41, 0),
        Receipt(0, 1 << 41, 1),
    )
    (entry,) = world.log.entries.read(PARTITION, points.position - 1, 1)
    world.log.changed[points] = replace(entry, fields={**entry.fields, b"payload": b""})
    for receipt, topic in ((descriptions, b"metrics.described.v1"), (unknown, b"garbage")):
        world.log.put(replace(entry, receipt=receipt, fields={b"topic": topic}))
    projecting = Projecting(world)
    projecting.to_the_end()
    assert [[e.receipt for e in store.set_aside()] for store in projecting.stores] == [
        [points, unknown],
        [points, unknown],
        [descriptions, unknown],
    ]


def test_descriptions_do_not_decode_points_for_others() -> None:
    world = World()
    receipts = world.publish(10)
    reading, other = Reading(world, MetricsDescribed), Reading(world)
    assert reading.to_the_end() == receipts
    assert (world.codec.decoded, world.pages.held) == (0, 0)
    assert other.to_the_end() == receipts
    assert world.codec.decoded == 10


def test_one_that_is_too_far_behind_reads_by_itself_until_it_is_near() -> None:
    world = World(max_held=12 * EVENT_BYTES)
    receipts = world.publish(20)
    ahead, behind = Reading(world), Reading(world)
    while ahead.page(4):
        pass
    decoded = world.codec.decoded
    assert 0 < world.pages.held <= 12 * EVENT_BYTES
    assert behind.page(4) == 4
    assert world.codec.decoded == decoded + 4
    while behind.page(4):
        pass
    assert behind.seen == receipts
    assert world.codec.decoded < 2 * len(receipts)


def test_the_size_of_what_is_held_covers_names_and_tag_sets() -> None:
    sizes = []
    for names, hosts in ((1, 1), (100, 1), (1, 100)):
        world = World()
        tags = [TagSet((("host", f"{n % hosts}"),)) for n in range(100)]
        points = PointBatch([f"m{n % names}" for n in range(100)], [1] * 100, [1.0] * 100, tags)
        world.log.publish(OWNER, points)
        ahead, _ = Reading(world), Reading(world)
        ahead.page()
        sizes.append(world.pages.held)
    assert sizes[0] >= EVENT_BYTES
    assert sizes[1] >= sizes[0] + 99 * 50
    assert sizes[2] >= sizes[0] + 99 * 300


def test_nothing_is_held_for_a_reader_that_is_gone_or_does_not_read_the_partition() -> None:
    world = World()
    world.publish(10)
    reading, elsewhere = Reading(world), Reading(world)
    elsewhere.pages.begin([LAST, 0, 0])
    with world.pages.reader(MetricsPublished) as gone:
        gone.begin([0, LAST, LAST])
        reading.page(5)
        assert world.pages.held > 0
    reading.to_the_end()
    assert world.pages.held == 0


def test_events_that_the_log_has_lost_are_not_given_to_one_that_begins_anew() -> None:
    world = World()
    receipts = world.publish(6)
    ahead, behind = Reading(world), Reading(world)
    ahead.page()
    behind.page(2)
    for lost in receipts[4:]:
        world.log.changed[lost] = None
    behind.pages.begin([behind.known.position, LAST, LAST])
    assert behind.to_the_end() == receipts[:4]
    with pytest.raises(ProjectionDiverged, match=str(receipts[-1])):
        ahead.page()


def test_events_follow_only_the_checkpoint_that_they_were_read_after() -> None:
    world = World()
    receipts = world.publish(6)
    ahead, behind = Reading(world), Reading(world)
    ahead.page()
    behind.page(2)
    behind.known = replace(behind.known, digest=b"of another event in its place")
    with pytest.raises(ProjectionDiverged, match=f"{receipts[1]} differs"):
        behind.page()


class Gate:
    """Holds up the first read of the log until it is opened."""

    def __init__(self, world: World, error: Exception | None = None) -> None:
        self.reached, self.open = threading.Event(), threading.Event()
        self._world = world
        self._error = error
        world.log.fault = self._wait

    def _wait(self, call: str) -> None:
        self._world.count(call)
        if call == "read" and not self.reached.is_set():
            self.reached.set()
            assert self.open.wait(20)
            if self._error is not None:
                raise self._error


def together(world: World, gate: Gate, second: Callable[[], object]) -> None:
    """Call `second` while another reader of the same place is in the log."""
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(Reading(world).page)
        assert gate.reached.wait(20)
        other = threads.submit(second)
        # Both read the same place: the second cannot finish, and must not reach the log.
        assert world.reads == 1
        gate.open.set()
        other.result(20)
        if first.exception(20) is None:
            assert first.result() == 3


def test_two_at_the_same_place_read_it_once() -> None:
    world = World()
    world.publish(3)
    reading = Reading(world)
    together(world, Gate(world), reading.page)
    assert (len(reading.seen), world.codec.decoded) == (3, 3)


def test_one_that_waited_for_a_read_that_failed_reads_by_itself() -> None:
    world = World()
    world.publish(3)
    reading = Reading(world)
    together(world, Gate(world, LogUnavailable("away")), reading.page)
    assert (len(reading.seen), world.codec.decoded) == (3, 3)


def test_a_read_that_was_begun_before_all_was_forgotten_is_not_held() -> None:
    world = World()
    world.publish(3)
    reading = Reading(world)
    gate = Gate(world)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(Reading(world).page)
        assert gate.reached.wait(20)
        reading.pages.begin([0, LAST, LAST])
        gate.open.set()
        assert first.result(20) == 3
    assert world.pages.held == 0


def test_nobody_waits_for_a_read_elsewhere() -> None:
    world = World()
    receipts = world.publish(6)
    ahead, behind = Reading(world), Reading(world)
    ahead.page()
    gate = Gate(world)
    with ThreadPoolExecutor(1) as threads:
        stuck = threads.submit(ahead.page)
        assert gate.reached.wait(20)
        assert [behind.page(2), behind.page(4)] == [2, 4]
        gate.open.set()
        assert stuck.result(20) == 0
    assert behind.seen == receipts


@pytest.mark.parametrize("stuck", [POINTS, METRIC_NAMES, METRIC_METADATA], ids=lambda p: p.name)
def test_a_projection_that_is_stuck_holds_up_no_other(stuck: Projection) -> None:
    world, stop, released = World(), threading.Event(), threading.Event()
    stores = {projection.name: Stores() for projection in PROJECTIONS}

    def fault(call: str) -> None:
        if call == "before commit" and not released.is_set():
            assert released.wait(20)
            raise StoreUnavailable("it was cut off")

    for projection in PROJECTIONS:
        if projection is stuck:
            stores[projection.name].fault = fault
    lives = [
        LiveProjection(world.pages, stores[p.name], p, interval=0.001, pause=0.001)
        for p in PROJECTIONS
    ]
    threads = [threading.Thread(target=live.run, args=(stop,)) for live in lives]

    def wait_for(projection: Projection, receipt: Receipt) -> None:
        of = stores[projection.name]

        def is_there() -> bool:
            live = live_generation(of, projection.name)
            return live is not None and of.positions(live) == {PARTITION: receipt.position}

        wait_until(is_there)

    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            last = world.publish(5)[-1]
            for projection in PROJECTIONS:
                if projection is not stuck:
                    wait_for(projection, last)
        released.set()
        for projection in PROJECTIONS:
            wait_for(projection, last)
    finally:
        released.set()
        stop.set()
        for thread in threads:
            thread.join(20)
    (live,) = stores[POINTS.name].generations(POINTS.name)
    assert len(stores[POINTS.name].places(live)) == 15
