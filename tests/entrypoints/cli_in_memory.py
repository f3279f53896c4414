"""The command line over adapters in memory."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.series_source import MemorySeriesSource
from adapters.memory.usage import MemoryUsageStore
from adapters.promql import PromqlEngine
from application.event_log.reader import MetricLogReader
from application.projections.folds import PROJECTIONS, Projection
from application.projections.live import live_generation
from application.projections.ports import Role
from application.projections.runner import ProjectionRunner
from application.use_cases import Commands, LogPorts, ProjectionPorts, ProjectionTools, compose
from domain.events import MetricsDescribed, MetricsPublished
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, tag_set
from entrypoints.cli import main
from entrypoints.cli.context import Roots
from entrypoints.settings import LogSettings, ServiceSettings
from entrypoints.wiring.commands import new_token

NOW = datetime(2014, 10, 24, 12, 37, 28, tzinfo=UTC)


class CommandLine:
    """Runs `cave` in this process; tests may set `now`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in [name for name in os.environ if name.startswith("CAVE_")]:
            monkeypatch.delenv(variable)
        self.now = NOW
        self.charset = "utf-8"
        self.metrics = MemoryMetricLog(lambda: self.now)
        self.refused_points = MemoryRefusedPoints(lambda: self.now)
        self.usage = MemoryUsageStore()
        self.opened: list[LogSettings] = []
        self.served: list[tuple[ServiceSettings, str, int]] = []
        self.projected: list[LogSettings] = []
        self.stores = MemoryProjectionStores()
        self.read_model = MemoryReadModel()
        self.series = MemorySeriesSource()
        self.serve_status = 0
        self.failure: Exception | None = None
        self._organizations = Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """Run `cave` with arguments and `CAVE_*` variables."""
        roots = Roots(
            open_log=self._open_log,
            open_projections=self._open_projections,
            project=self._project,
            serve=self._serve,
            clock=lambda: self.now,
        )
        return CliRunner(charset=self.charset).invoke(
            main, arguments, obj=roots, env=environment, prog_name="cave"
        )

    def output(self, *arguments: str) -> str:
        """Run `cave`, which must succeed, and return its output."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> list[Any]:
        """Run `cave` with --json and return the records."""
        return [json.loads(line) for line in self.output(*arguments, "--json").splitlines()]

    def error(self, *arguments: str, **environment: str) -> str:
        """Run `cave`, which must exit with 1, and return its error line."""
        result = self(*arguments, **environment)
        assert (result.exit_code, result.stdout) == (1, "")
        line, end = result.stderr[:-1], result.stderr[-1]
        assert (line.count("\n"), end) == (0, "\n")
        return line.removeprefix("Error: ")

    @property
    def reader(self) -> MetricLogReader:
        """Return a reader of the log's events."""
        return MetricLogReader(self.metrics.entries, self.metrics.codec)

    def publish(
        self,
        organization: str,
        team: str | None = None,
        points: int = 1,
        host: str = "svc5",
        values: Sequence[float] = (),
    ) -> str:
        """Append a batch to the log, with one point per millisecond; return its receipt.

        The values are half, one and a half, … unless they are given.
        """
        points = len(values) or points
        tags = tag_set({"host": host, "env": "production"})
        assert tags is not None
        batch = PointBatch(
            ["orders"] * points,
            [1398788625000 + i for i in range(points)],
            values or [i + 0.5 for i in range(points)],
            [tags] * points,
        )
        event = MetricsPublished(organization=organization, team=team, token_id="t1", points=batch)
        receipt = asyncio.run(self.metrics.append(event)).receipt
        self.read_model.add(self.reader.get(receipt))
        return str(receipt)

    def describe(self, organization: str, *descriptions: MetricDescription) -> str:
        """Append descriptions of metrics to the log; return their receipt."""
        event = MetricsDescribed(
            organization=organization, team=None, token_id="t1", descriptions=descriptions
        )
        return str(asyncio.run(self.metrics.append(event)).receipt)

    def project(self, *projections: Projection) -> None:
        """Bring the live generations, all by default, up to date with the log."""
        for projection in projections or PROJECTIONS:
            live = live_generation(self.stores, projection.name)
            live = live or self.stores.create(projection, Role.LIVE)
            with self.stores.open(live) as store:
                runner = ProjectionRunner(self.reader, store, projection)
                while runner.step().more:
                    pass

    @contextmanager
    def _open_log(self, settings: LogSettings) -> Iterator[Commands]:
        self.opened.append(settings)
        if self.failure is not None:
            raise self.failure
        ports = LogPorts(
            organizations=self._organizations,
            organization_log=self._organizations,
            hot=self.metrics,
            server=self.metrics,
            codec=self.metrics.codec,
            refused_points=self.refused_points,
            usage=self.usage,
        )
        yield compose(ports, lambda: self.now, new_token)

    @contextmanager
    def _open_projections(self, settings: LogSettings) -> Iterator[ProjectionTools]:
        self.opened.append(settings)
        if self.failure is not None:
            raise self.failure
        ports = ProjectionPorts(
            organizations=self._organizations,
            organization_log=self._organizations,
            hot=self.metrics,
            server=self.metrics,
            codec=self.metrics.codec,
            refused_points=self.refused_points,
            usage=self.usage,
            stores=self.stores,
            queries=self.read_model,
            promql=PromqlEngine(self.series),
            points=self.read_model,
        )
        yield compose(ports, lambda: self.now, new_token)

    def _project(self, settings: LogSettings) -> int:
        self.projected.append(settings)
        return 0

    def _serve(self, settings: ServiceSettings, host: str, port: int) -> int:
        self.served.append((settings, host, port))
        return self.serve_status
