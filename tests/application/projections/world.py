"""A log and stores in memory, any call of which can be made to fail, and helpers to check them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import (
    Keyed,
    MemoryProjectionStore,
    MemoryProjectionStores,
)
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.usage import MemoryUsageStore
from application.event_log.ports import Entry, Extent, RecordedMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import RowsRefused
from application.projections.folds import Rows
from application.projections.ports import Checkpoint, Generation, SetAside
from application.use_cases import ProjectionPorts, ProjectionTools, compose
from domain.events import MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, tag_set
from tests.application.doubles import CountedTokens, FakeClock, OnePromql

PARTITIONS = 3
ORGANIZATIONS = ("gilt", "acme", "bilt", "dent")

Fault = Callable[[str], None]


def batch(values: Sequence[float], name: str = "orders", **tags: str) -> PointBatch:
    tags_of_all = tag_set(tags)
    assert tags_of_all is not None
    count = len(values)
    return PointBatch([name] * count, list(range(count)), list(values), [tags_of_all] * count)


class Log(MemoryMetricLog):
    """`fault` is called with the name of each call; `changed` replaces entries by receipt.

    `reader` reads its events.
    """

    def __init__(self) -> None:
        self.clock = FakeClock()
        super().__init__(self.clock, PARTITIONS)
        self.fault: Fault = lambda call: None
        self.changed: dict[Receipt, Entry | None] = {}
        self.reader = MetricLogReader(self.entries, self.codec)

    def publish(self, organization: str, points: PointBatch, team: str | None = None) -> Receipt:
        self.clock.advance(timedelta(milliseconds=1))
        event = MetricsPublished(organization=organization, team=team, token_id="t1", points=points)
        return asyncio.run(self.append(event)).receipt

    def describe(
        self, organization: str, *descriptions: MetricDescription, team: str | None = None
    ) -> Receipt:
        self.clock.advance(timedelta(milliseconds=1))
        event = MetricsDescribed(
            organization=organization, team=team, token_id="t1", descriptions=descriptions
        )
        return asyncio.run(self.append(event)).receipt

    def batch(self, receipt: Receipt) -> RecordedMetrics:
        """Return the event of a publish."""
        recorded = self.reader.get(receipt)
        assert isinstance(recorded, RecordedMetrics)
        return recorded

    def publish_many(self, count: int, points: int = 2) -> list[Receipt]:
        return [
            self.publish(ORGANIZATIONS[n % len(ORGANIZATIONS)], batch([float(n)] * points))
            for n in range(count)
        ]

    def make_unreadable(self, receipt: Receipt) -> None:
        self.changed[receipt] = Entry(receipt, {b"topic": b"garbage"})

    def wait_for_entries(self, after: Sequence[int], *, block: bool = True) -> Sequence[int]:
        self.fault("wait_for_entries")
        return super().wait_for_entries(after, block=block)

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        self.fault("read")
        extent, found = super().read(partition, after, limit + len(self.changed))
        page = [self.changed.get(entry.receipt, entry) for entry in found]
        return extent, [entry for entry in page if entry is not None][:limit]


class Store:
    """A ProjectionStore that keeps everything it receives, twice if it receives it twice.

    Refuses events of `poison`; `fault` is called before and after a commit; `commits` has the
    number of points of each. It writes the partitions in `part`.
    """

    def __init__(self, part: Collection[int] = range(PARTITIONS)) -> None:
        self.part = part
        self.places: list[tuple[int, int]] = []
        self.fault: Fault = lambda call: None
        self.poison: set[Receipt] = set()
        self.commits: list[int] = []
        self._set_aside: list[SetAside] = []
        self._checkpoints: dict[int, Checkpoint] = {}

    def writes(self, partition: int) -> bool:
        return partition in self.part

    def balance(self) -> bool:
        return False

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        return dict(self._checkpoints)

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        self.fault("before commit")
        if {row.receipt for row in rows} & self.poison:
            raise RowsRefused("no column can hold it")
        added = [
            place
            for row in rows
            if isinstance(row, RecordedMetrics)
            for place in places([row.receipt], len(row.event.points))
        ]
        self.places += added
        self.commits.append(len(added))
        self._set_aside += set_aside
        self._checkpoints.update({c.partition: c for c in checkpoints})
        self.fault("after commit")

    def set_aside(self) -> Sequence[SetAside]:
        return self._set_aside

    def tidy(self) -> None:
        """Do nothing."""


class Stores(MemoryProjectionStores):
    """`fault` is called when a store is opened or tidied, and before and after each of its commits.

    A store that has joined writes the partitions in `part`, as of its last balance: `balanced`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fault: Fault = lambda call: None
        self.part: Collection[int] = range(PARTITIONS)
        self.balanced: Collection[int] = self.part

    @contextmanager
    def join(self, generation: Generation) -> Iterator[MemoryProjectionStore]:
        with self.open(generation) as store:
            self.balanced = self.part

            def balance() -> bool:
                changed = self.balanced != self.part
                self.balanced = self.part
                return changed

            store.balance = balance  # type: ignore[method-assign]
            store.writes = lambda partition: partition in self.balanced  # type: ignore[method-assign]
            yield store

    @contextmanager
    def open(self, generation: Generation) -> Iterator[MemoryProjectionStore]:
        self.fault("open")
        with super().open(generation) as store:
            commit = store.commit

            def faulty(
                rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
            ) -> None:
                self.fault("before commit")
                commit(rows, set_aside, checkpoints)
                self.fault("after commit")

            store.commit = faulty  # type: ignore[method-assign]
            store.tidy = lambda: self.fault("tidy")  # type: ignore[method-assign]
            yield store

    def rows(self, generation: Generation) -> Keyed:
        """Return a generation's rows, to be checked or damaged."""
        return self._held[generation.projection][generation.number].rows

    def places(self, generation: Generation) -> list[tuple[int, int]]:
        """Return the sorted places of the rows of a generation."""
        return sorted((r.partition, r.position) for _, r, _ in self.rows(generation).values())


def places(receipts: Iterable[Receipt], points: int = 2) -> list[tuple[int, int]]:
    """Return the places of the rows of events with `points` points each."""
    return [(r.partition, r.position) for r in receipts for _ in range(points)]


def tools(log: Log, stores: MemoryProjectionStores) -> ProjectionTools:
    """Compose the use cases of projections over a log and stores, without organizations."""
    organizations = Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})
    model = MemoryReadModel()
    ports = ProjectionPorts(
        organizations=organizations,
        organization_log=organizations,
        hot=log,
        server=log,
        codec=log.codec,
        refused_points=MemoryRefusedPoints(log.clock),
        usage=MemoryUsageStore(),
        stores=stores,
        queries=model,
        promql=OnePromql(),
        points=model,
    )
    return compose(ports, log.clock, CountedTokens())
