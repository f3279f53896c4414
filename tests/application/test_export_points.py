"""Exporting: the owner's points, their number, and no file opened by an export that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.usage import MemoryUsageStore
from application.projections.errors import ProjectionMissing, UnknownMetric
from application.reading.export_points import ExportPoints, ExportPointsHandler
from application.reading.ports import PointRow
from application.use_cases import ProjectionPorts, compose
from domain.errors import UnknownOrganization, UnknownTeam
from tests.application.doubles import CountedTokens, FakeClock, OnePromql, organizations_in_memory
from tests.contracts.organizations import registered
from tests.contracts.read_model import ReadModelUnderTest, point


class Writer:
    def __init__(self) -> None:
        self.opened = 0
        self.closed = 0
        self.rows: list[PointRow] = []

    @contextmanager
    def __call__(self) -> Iterator[Writer]:
        self.opened += 1
        yield self
        self.closed += 1

    def write(self, rows: Sequence[PointRow]) -> None:
        self.rows += rows


@pytest.fixture
def model() -> MemoryReadModel:
    model = MemoryReadModel()
    blank = ReadModelUnderTest(model, model, model, lambda _: None, lambda _, __: None)
    model.add(blank.recorded(point(2, 1, "b"), point(1, 2, "a"), point(1, 3, "b")))
    return model


@pytest.fixture
def export(model: MemoryReadModel) -> Iterator[ExportPointsHandler]:
    with organizations_in_memory() as organizations:
        organizations.save_events([registered("gilt")])
        log = MemoryMetricLog(FakeClock())
        ports = ProjectionPorts(
            organizations=organizations,
            organization_log=organizations,
            hot=log,
            server=log,
            codec=log.codec,
            refused_points=MemoryRefusedPoints(FakeClock()),
            usage=MemoryUsageStore(),
            stores=MemoryProjectionStores(),
            queries=model,
            promql=OnePromql(),
            points=model,
        )
        yield compose(ports, FakeClock(), CountedTokens()).export_points


def test_points_are_written_in_order_and_counted(export: ExportPointsHandler) -> None:
    writer = Writer()
    assert export(ExportPoints(organization="gilt"), writer) == 3
    assert [(row.name, row.time) for row in writer.rows] == [("a", 1), ("b", 1), ("b", 2)]
    assert (writer.opened, writer.closed) == (1, 1)


def test_an_export_without_points_still_opens_the_writer(export: ExportPointsHandler) -> None:
    writer = Writer()
    assert export(ExportPoints(organization="gilt", end=0), writer) == 0
    assert (writer.opened, writer.closed) == (1, 1)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (ExportPoints(organization="zalando"), UnknownOrganization),
        (ExportPoints(organization="gilt", team="ops"), UnknownTeam),
        (ExportPoints(organization="gilt", metric="c"), UnknownMetric),
        (ExportPoints(organization="gilt", label="before"), ProjectionMissing),
    ],
)
def test_an_export_that_fails_does_not_open_the_writer(
    export: ExportPointsHandler, command: ExportPoints, error: type[Exception]
) -> None:
    writer = Writer()
    with pytest.raises(error):
        export(command, writer)
    assert writer.opened == 0
