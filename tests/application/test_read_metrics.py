"""Reading: the owner's points, waiting for a batch, and the limit of concurrent queries."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.read_model import MemoryReadModel
from application.errors import UnknownReceipt
from application.event_log.partitioning import partition_of
from application.event_log.ports import Entry, RecordedMetrics
from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.projections.errors import (
    NotReadableYet,
    ProjectionMissing,
    StoreUnavailable,
    UnknownMetric,
)
from application.reading.ports import Aggregation
from application.reading.read_metrics import ReadMetrics, ReadMetricsHandler
from application.use_cases import Limits, Queries
from tests.application.doubles import FakeClock, service_use_cases
from tests.contracts.metric_log import published
from tests.contracts.read_model import pairs, point

PARTITION = partition_of("gilt", 16)
GILT = Grant("gilt", None, "t1")
WEB = Grant("gilt", "web", "t1")


def event(position: int, value: float = 1, team: str | None = None) -> RecordedMetrics:
    points = [point(position, value, host="a" if value == 1 else "b")]
    return RecordedMetrics(Receipt.at(PARTITION, position), published("gilt", team, points))


class WatchedReadModel(MemoryReadModel):
    """Counts reads of the positions, adds a batch at a given read, and fails on demand."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = 0
        self.arriving: dict[int, RecordedMetrics] = {}
        self.failure: Exception | None = None
        self.behind: str | None = None

    def positions(self, projection: str) -> Mapping[int, int]:
        self.looks += projection == "points"
        if self.failure is not None:
            raise self.failure
        if arrived := self.arriving.pop(self.looks, None):
            self.add(arrived)
        return {} if projection == self.behind else super().positions(projection)


@pytest.fixture
def model() -> WatchedReadModel:
    return WatchedReadModel()


def queries(model: MemoryReadModel, patience: float = 5.0, organization: str = "gilt") -> Queries:
    """Return the queries of a service in whose log the organization has a batch, at position 7."""
    log = MemoryMetricLog(FakeClock())
    log.put(Entry(event(7).receipt, log.codec.encode(published(organization))))
    limits = Limits(receipt_patience=patience, receipt_interval=0.001)
    return service_use_cases(FakeClock(), read_model=model, log=log, limits=limits).queries


def reading(model: MemoryReadModel, patience: float = 5.0) -> ReadMetricsHandler:
    return queries(model, patience).read_metrics


def test_the_points_are_those_of_the_grants_owner(model: WatchedReadModel) -> None:
    model.add(event(1, 1), event(2, 2), event(3, 3, team="web"))

    async def scenario() -> None:
        read = reading(model)
        assert pairs(await read(ReadMetrics(grant=GILT, metric="m", limit=9))) == [(1, 1), (2, 2)]
        assert pairs(await read(ReadMetrics(grant=WEB, metric="m", limit=9))) == [(3, 3)]
        narrowed = ReadMetrics(
            grant=GILT,
            metric="m",
            tags={"host": "b"},
            start=1,
            end=3,
            aggregation=Aggregation("max", 10),
            limit=1,
        )
        assert pairs(await read(narrowed)) == [(0, 2)]
        names = await queries(model).list_metric_names(WEB)
        assert [(known.name, list(known.tags)) for known in names] == [("m", ["host"])]

    asyncio.run(scenario())


def test_a_name_never_seen_is_unknown_and_one_without_points_there_is_not(
    model: WatchedReadModel,
) -> None:
    model.add(event(1, team="web"))

    async def scenario() -> None:
        read = reading(model)
        with pytest.raises(UnknownMetric, match="gilt never published a metric 'm'"):
            await read(ReadMetrics(grant=GILT, metric="m", limit=9))
        with pytest.raises(UnknownMetric, match="gilt/web never published a metric 'n'"):
            await read(ReadMetrics(grant=WEB, metric="n", limit=9))
        assert list(await read(ReadMetrics(grant=WEB, metric="m", start=2, limit=9))) == []

    asyncio.run(scenario())


def test_what_is_at_hand_is_what_is_read_and_nothing_that_waits(model: WatchedReadModel) -> None:
    model.add(event(1, 1), event(7, 2), event(3, 3, team="web"))
    read = reading(model)
    for grant in (GILT, WEB):
        for aggregation in (None, Aggregation("max", 10)):
            query = ReadMetrics(grant=grant, metric="m", limit=9, aggregation=aggregation)
            assert list(read.at_hand(query)) == list(asyncio.run(read(query)))
    receipt = Receipt.at(PARTITION, 7)
    assert not read.at_hand(ReadMetrics(grant=GILT, metric="m", limit=9, receipt=receipt))
    assert not read.at_hand(ReadMetrics(grant=GILT, metric="unknown", limit=9))
    assert model.looks == 0


def test_with_a_receipt_the_answer_waits_for_its_batch(model: WatchedReadModel) -> None:
    model.arriving = {3: event(7)}
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))
    assert pairs(asyncio.run(reading(model)(query))) == [(7, 1)]
    assert model.looks == 3


@pytest.mark.parametrize("behind", ["points", "metric_names"])
def test_a_batch_that_one_projection_lacks_cannot_be_read_yet(
    model: WatchedReadModel, behind: str
) -> None:
    model.add(event(7))
    model.behind = behind
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))
    with pytest.raises(NotReadableYet, match=f"{PARTITION}-0-7"):
        asyncio.run(reading(model, patience=0.05)(query))
    model.behind = None
    assert pairs(asyncio.run(reading(model)(query))) == [(7, 1)]


def test_a_batch_can_be_read_while_the_descriptions_of_metrics_lag_behind(
    model: WatchedReadModel,
) -> None:
    model.add(event(7))
    model.behind = "metric_metadata"
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))
    assert pairs(asyncio.run(reading(model)(query))) == [(7, 1)]


def test_a_projection_that_is_not_there_yet_is_waited_for(model: WatchedReadModel) -> None:
    """For example if a batch is read back right after the very first start."""
    model.add(event(7))
    model.failure = ProjectionMissing("points was not built yet")
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))
    with pytest.raises(NotReadableYet):
        asyncio.run(reading(model, patience=0.05)(query))

    async def scenario() -> None:
        waiting = asyncio.create_task(reading(model)(query))
        await asyncio.sleep(0.02)
        model.failure = None
        assert pairs(await waiting) == [(7, 1)]

    asyncio.run(scenario())


def test_all_waiting_requests_share_each_read_of_the_positions(model: WatchedReadModel) -> None:
    model.arriving = {3: event(7)}
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))

    async def scenario() -> None:
        read = reading(model)
        answers = await asyncio.gather(*(read(query) for _ in range(50)))
        assert [pairs(answer) for answer in answers] == [[(7, 1)]] * 50

    asyncio.run(scenario())
    assert model.looks == 3


@pytest.mark.parametrize(
    ("organization", "receipt"),
    [
        ("gilt", Receipt.at(PARTITION, 6)),  # below what was projected, but of no event
        ("gilt", Receipt.at(PARTITION, 8)),
        ("gilt", Receipt.at(PARTITION, 1 << 60)),
        ("gilt", Receipt.at(PARTITION, 0)),
        ("gilt", Receipt.at(PARTITION + 1, 7)),
        ("gilt", Receipt.at(99_999, 7)),
        ("other", Receipt.at(PARTITION, 7)),  # another organization's, in the same partition
    ],
)
def test_a_receipt_of_none_of_the_organizations_events_is_unknown_at_once(
    model: WatchedReadModel, organization: str, receipt: Receipt
) -> None:
    model.add(event(7))
    read = queries(model, organization=organization).read_metrics
    with pytest.raises(UnknownReceipt, match=str(receipt)):
        asyncio.run(read(ReadMetrics(grant=GILT, metric="m", limit=9, receipt=receipt)))
    assert model.looks == 0


def test_a_failure_of_the_store_ends_the_wait(model: WatchedReadModel) -> None:
    model.failure = StoreUnavailable("gone")
    query = ReadMetrics(grant=GILT, metric="m", limit=9, receipt=Receipt.at(PARTITION, 7))

    async def scenario() -> None:
        read = reading(model)
        with pytest.raises(StoreUnavailable):
            await read(query)
        model.failure = None
        model.add(event(7))
        assert pairs(await read(query)) == [(7, 1)]

    asyncio.run(scenario())
