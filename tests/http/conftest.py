"""The application in process, over logs in memory and a stub for publish."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from adapters.eventsourcing.organizations import Organizations
from adapters.http.api.readiness import ReadinessReport
from adapters.http.app import create_app
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.read_model import MemoryReadModel
from application.organizations.access import AccessControl
from application.organizations.create_team import CreateTeam, CreateTeamHandler
from application.organizations.issue_token import IssueToken, IssueTokenHandler, NewToken
from application.organizations.look_ups import LookUps
from application.organizations.register_organization import (
    RegisterOrganization,
    RegisterOrganizationHandler,
)
from application.organizations.revoke_token import RevokeTokenHandler
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.projections.status import ProjectionStatusHandler
from application.projections.watch import ProjectionWatch
from application.publishing.publish_metrics import PublishMetricsHandler
from application.reading.list_metric_names import ListMetricNamesHandler
from application.reading.query_threads import QueryThreads
from application.reading.read_metrics import ReadMetricsHandler
from application.reading.readable_receipts import ReadableReceipts
from application.use_cases import ManageOrganizations, Queries, UseCases

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPERATOR = "cave_the-operator's"
RECEIPT_SECONDS = 0.2


class StubPublish:
    """Notes where it was called for, and answers as publish does."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str | None]] = []

    async def __call__(
        self, scope: Any, receive: Any, send: Any, organization: str, team: str | None
    ) -> None:
        self.calls.append((organization, team))
        headers = [(b"content-length", b"0"), (b"cave-receipt", b"3-7-0")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class StubReadiness:
    def __init__(self) -> None:
        self.answer = ReadinessReport()

    async def report(self) -> ReadinessReport:
        return self.answer


class Service:
    """The application with its parts at hand. Each request sees what was done before it."""

    def __init__(self, organizations: Organizations) -> None:
        self.now = START
        self.seconds = 0.0
        self.publish = StubPublish()
        self.readiness = StubReadiness()
        self._issued = 0
        directory = TokenDirectory(lambda: self.seconds)
        self.follower = DirectoryFollower(organizations, directory)

        def clock() -> datetime:
            return self.now

        self.manage = ManageOrganizations(
            RegisterOrganizationHandler(organizations, self._new_token, clock),
            CreateTeamHandler(organizations, clock),
            IssueTokenHandler(organizations, self._new_token, clock),
            RevokeTokenHandler(organizations, clock),
            LookUps(organizations, organizations),
        )
        log = MemoryMetricLog(clock)
        self.read_model = MemoryReadModel()
        self.threads = QueryThreads(1)
        self.log = log
        self.use_cases = UseCases(
            AccessControl(directory, clock),
            PublishMetricsHandler(log, clock, max_future_ms=86_400_000),
            self.manage,
            self._queries(log),
            ProjectionWatch(
                ProjectionStatusHandler(self.read_model, log, clock),
                interval=0.0,
                max_share=math.inf,
                patience=60.0,
            ),
        )
        self.app = self.app_for(OPERATOR)

    def app_for(self, operator_token: str | None) -> Any:
        return create_app(
            self.use_cases,
            self.publish,
            self.readiness,
            operator_token=operator_token,
            clock=lambda: self.now,
        )

    def _queries(self, log: MemoryMetricLog) -> Queries:
        receipts = ReadableReceipts(
            self.read_model, log.partitions(), patience=RECEIPT_SECONDS, interval=0.01
        )
        return Queries(
            ListMetricNamesHandler(self.read_model, self.threads),
            ReadMetricsHandler(self.read_model, self.threads, receipts),
        )

    def _new_token(self) -> NewToken:
        self._issued += 1
        return NewToken(f"id{self._issued}", f"cave_{self._issued:043}")

    def register(self, name: str, *scopes: str) -> str:
        """Register an organization; return its first token's value."""
        _, issued = self.manage.register_organization(
            RegisterOrganization(name=name, scopes=scopes or ("admin",))
        )
        return issued.value

    def create_team(self, organization: str, team: str) -> None:
        self.manage.create_team(CreateTeam(organization=organization, name=team))

    def issue(
        self,
        organization: str,
        *scopes: str,
        team: str | None = None,
        expires_in: timedelta | None = None,
    ) -> str:
        """Issue a token; return its value."""
        command = IssueToken(
            organization=organization, team=team, scopes=scopes, expires_in=expires_in
        )
        return self.manage.issue_token(command).value

    def call(
        self,
        method: str,
        path: str,
        token: str | None = None,
        *,
        headers: dict[str, str] | None = None,
        **body: Any,
    ) -> httpx.Response:
        """Send one request, with `token` as Bearer; `body` is what httpx takes for one."""
        self.follower.catch_up()
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        return asyncio.run(self._send(method, path, sent, body))

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: dict[str, Any]
    ) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://cave.test") as client:
            return await client.request(method, path, headers=headers, **body)


@pytest.fixture
def service() -> Iterator[Service]:
    organizations = Organizations(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
    service = Service(organizations)
    yield service
    service.threads.close()
    organizations.close()


def problem_of(response: httpx.Response, status: int, kind: str | None = None) -> dict[str, Any]:
    """Return the problem document of an answer, after checking its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["type"] == (f"urn:cave:problem:{kind}" if kind else "about:blank")
    return problem
