"""The samples for a plot: those of one owner's metric that can be drawn."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.usage import MemoryUsageStore
from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from application.organizations.create_team import CreateTeam
from application.organizations.register_organization import RegisterOrganization
from application.projections.errors import ProjectionMissing, UnknownMetric
from application.reading.plot_samples import PlotSamples
from application.reading.ports import Aggregation, Sample, Selection
from application.use_cases import ProjectionPorts, ProjectionTools, compose
from domain.errors import UnknownOrganization, UnknownTeam
from tests.application.doubles import CountedTokens, FakeClock, OnePromql, organizations_in_memory
from tests.contracts.metric_log import published
from tests.contracts.read_model import pairs, point


class Answering(MemoryReadModel):
    """Returns the same samples for every query."""

    def __init__(self, answer: Sequence[Sample]) -> None:
        super().__init__()
        self._answer = answer

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        return True

    def samples(self, *_: object, **__: object) -> Sequence[Sample]:
        return self._answer


def tools(organizations: Organizations, read_model: MemoryReadModel) -> ProjectionTools:
    clock = FakeClock()
    log = MemoryMetricLog(clock)
    ports = ProjectionPorts(
        organizations=organizations,
        organization_log=organizations,
        hot=log,
        server=log,
        codec=log.codec,
        refused_points=MemoryRefusedPoints(clock),
        usage=MemoryUsageStore(),
        stores=MemoryProjectionStores(),
        queries=read_model,
        promql=OnePromql(),
        points=read_model,
    )
    return compose(ports, clock, CountedTokens())


def query(
    organization: str = "gilt",
    team: str | None = None,
    metric: str = "m",
    aggregator: str = "sum",
    limit: int = 60,
    label: str | None = None,
) -> PlotSamples:
    selection = Selection(organization=organization, team=team, metric=metric)
    return PlotSamples(
        selection=selection, aggregation=Aggregation(aggregator, 10), limit=limit, label=label
    )


@pytest.fixture
def gilt(organizations: Organizations) -> ProjectionTools:
    """Gilt has points of `m` at 1, 2 and 11, its team web has none."""
    read_model = MemoryReadModel()
    points = [point(1, 1), point(2, 2), point(11, 4)]
    read_model.add(RecordedMetrics(Receipt.at(0, 1), published("gilt", None, points)))
    opened = tools(organizations, read_model)
    opened.manage.register_organization(RegisterOrganization(name="gilt"))
    opened.manage.create_team(CreateTeam(organization="gilt", name="web"))
    return opened


def test_they_are_the_latest_buckets_oldest_first(gilt: ProjectionTools) -> None:
    assert pairs(gilt.plot_samples(query())) == [(0, 3), (10, 4)]
    assert pairs(gilt.plot_samples(query(limit=1))) == [(10, 4)]


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (query(organization="other"), UnknownOrganization, "no organization 'other'"),
        (query(team="ops"), UnknownTeam, "no team 'ops'"),
        (query(metric="n"), UnknownMetric, "gilt has no metric 'n'"),
        (query(team="web"), UnknownMetric, "gilt/web has no metric 'm'"),
        (query(label="x"), ProjectionMissing, "no copy 'x'"),
    ],
)
def test_an_unknown_organization_team_or_metric_is_named(
    gilt: ProjectionTools, asked: PlotSamples, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        gilt.plot_samples(asked)


@given(st.lists(st.floats()))
def test_values_that_cannot_be_drawn_are_left_out(values: list[float]) -> None:
    samples = [Sample(time, value) for time, value in enumerate(values)]
    with organizations_in_memory() as organizations:
        opened = tools(organizations, Answering(samples))
        opened.manage.register_organization(RegisterOrganization(name="gilt"))
        drawn = opened.plot_samples(query())
    assert drawn == [sample for sample in samples if math.isfinite(sample.value)]
