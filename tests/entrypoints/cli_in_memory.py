"""The command line over adapters in memory: what is not tested here is what they skip."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.eventsourcing.organizations import Organizations
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.projection_stores import MemoryProjectionStores
from adapters.memory.read_model import MemoryReadModel
from application.organizations.create_team import CreateTeamHandler
from application.organizations.issue_token import IssueTokenHandler
from application.organizations.look_ups import LookUps
from application.organizations.register_organization import RegisterOrganizationHandler
from application.organizations.revoke_token import RevokeTokenHandler
from application.projections.folds import PROJECTIONS, Projection
from application.projections.live import live_generation
from application.projections.overview import ProjectionOverviewHandler
from application.projections.ports import Role
from application.projections.replay import ReplayHandler
from application.projections.runner import ProjectionRunner
from application.projections.verify import VerifyHandler
from application.use_cases import ManageOrganizations
from domain.events import MetricsPublished
from domain.metric_point import PointBatch, tag_set
from entrypoints.cli import main
from entrypoints.cli.context import Roots
from entrypoints.settings import LogSettings, ServiceSettings
from entrypoints.wiring import Commands, ProjectionTools, new_token

NOW = datetime(2014, 10, 24, 12, 37, 28, tzinfo=UTC)


class CommandLine:
    """Runs `cave` in this process; `now` may be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in [name for name in os.environ if name.startswith("CAVE_")]:
            monkeypatch.delenv(variable)
        self.now = NOW
        self.metrics = MemoryMetricLog(lambda: self.now)
        self.opened: list[LogSettings] = []
        self.served: list[tuple[ServiceSettings, str, int]] = []
        self.projected: list[LogSettings] = []
        self.stores = MemoryProjectionStores()
        self.read_model = MemoryReadModel()
        self.serve_status = 0
        self.failure: Exception | None = None
        self._organizations = Organizations({"PERSISTENCE_MODULE": "eventsourcing.popo"})

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """Run it with arguments and `CAVE_*` variables."""
        roots = Roots(
            open_log=self._open_log,
            open_projections=self._open_projections,
            project=self._project,
            serve=self._serve,
            clock=lambda: self.now,
        )
        return CliRunner().invoke(main, arguments, obj=roots, env=environment, prog_name="cave")

    def output(self, *arguments: str) -> str:
        """Run it, which must succeed, and return what it prints."""
        result = self(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *arguments: str) -> list[Any]:
        """Run it with --json and return the records."""
        return [json.loads(line) for line in self.output(*arguments, "--json").splitlines()]

    def error(self, *arguments: str, **environment: str) -> str:
        """Run it, which must fail in the way of exit code 1, and return the line that says why."""
        result = self(*arguments, **environment)
        assert (result.exit_code, result.stdout) == (1, "")
        line, end = result.stderr[:-1], result.stderr[-1]
        assert (line.count("\n"), end) == (0, "\n")
        return line.removeprefix("Error: ")

    def publish(self, organization: str, team: str | None = None, points: int = 1) -> str:
        """Append a batch to the log, a point a millisecond; return its receipt."""
        tags = tag_set({"host": "svc5", "env": "production"})
        assert tags is not None
        batch = PointBatch(
            ["orders"] * points,
            [1398788625000 + i for i in range(points)],
            [i + 0.5 for i in range(points)],
            [tags] * points,
        )
        event = MetricsPublished(organization=organization, team=team, token_id="t1", points=batch)
        receipt = asyncio.run(self.metrics.append(event)).receipt
        self.read_model.add(self.metrics.get(receipt))
        return str(receipt)

    def project(self, *projections: Projection) -> None:
        """Bring the live generations, all by default, up to date with the log."""
        for projection in projections or PROJECTIONS:
            live = live_generation(self.stores, projection.name)
            live = live or self.stores.create(projection, Role.LIVE)
            with self.stores.open(live) as store:
                runner = ProjectionRunner(self.metrics, store, projection)
                while runner.step().more:
                    pass

    @contextmanager
    def _open_log(self, settings: LogSettings) -> Iterator[Commands]:
        self.opened.append(settings)
        if self.failure is not None:
            raise self.failure
        yield Commands(self._manage(), self.metrics)

    @contextmanager
    def _open_projections(self, settings: LogSettings) -> Iterator[ProjectionTools]:
        self.opened.append(settings)
        if self.failure is not None:
            raise self.failure
        replay = ReplayHandler(self.metrics, self.stores)
        yield ProjectionTools(
            log=self.metrics,
            manage=self._manage(),
            stores=self.stores,
            overview=ProjectionOverviewHandler(self.stores, self.metrics, lambda: self.now),
            replay=replay,
            verify=VerifyHandler(replay, self.stores),
            read_model=self.read_model,
        )

    def _manage(self) -> ManageOrganizations:
        organizations = self._organizations
        return ManageOrganizations(
            register_organization=RegisterOrganizationHandler(
                organizations, new_token, lambda: self.now
            ),
            create_team=CreateTeamHandler(organizations, lambda: self.now),
            issue_token=IssueTokenHandler(organizations, new_token, lambda: self.now),
            revoke_token=RevokeTokenHandler(organizations, lambda: self.now),
            look_ups=LookUps(organizations, organizations),
        )

    def _project(self, settings: LogSettings) -> int:
        self.projected.append(settings)
        return 0

    def _serve(self, settings: ServiceSettings, host: str, port: int) -> int:
        self.served.append((settings, host, port))
        return self.serve_status
