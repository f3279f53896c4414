"""The application in process, with logs in memory and a stub for publish."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from adapters.eventsourcing.organizations import Organizations
from adapters.http.api.queries import Reading
from adapters.http.api.queries_at_hand import QueriesAtHand
from adapters.http.app import create_app
from adapters.http.publish.routes import Destination
from adapters.memory.active_series import MemoryActiveSeries
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.quota_buckets import MemoryQuotaBuckets
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.series_source import MemorySeriesSource
from adapters.memory.usage import MemoryUsageStore
from adapters.promql import PromqlEngine
from application.organizations.create_team import CreateTeam
from application.organizations.issue_token import IssueToken, NewToken
from application.organizations.register_organization import RegisterOrganization
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.projections.folds import Projection
from application.publishing.ports import MetricLog
from application.readiness import ReadinessReport
from application.reading.query_threads import QueryThreads
from application.use_cases import Limits, ServicePorts, UseCases, compose

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPERATOR = "cave_the-operator's"
RECEIPT_SECONDS = 0.2


class StubPublish:
    """Records the destinations of its calls, and answers as publish does."""

    def __init__(self) -> None:
        self.calls: list[tuple[str | None, str | None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any, destination: Destination) -> None:
        self.calls.append((destination.organization, destination.team))
        headers = [(b"content-length", b"0"), (b"cave-receipt", b"3-7-0")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


class StubReadiness:
    def __init__(self) -> None:
        self.answer = ReadinessReport()

    async def __call__(self) -> ReadinessReport:
        return self.answer


class Service:
    """The application with access to its parts. Each request sees all earlier changes."""

    def __init__(self, organizations: Organizations) -> None:
        self.now = START
        self.seconds = 0.0
        self.publish = StubPublish()
        self.readiness = StubReadiness()
        self._issued = 0
        self.read_model = MemoryReadModel()
        self.series = MemorySeriesSource()
        self.threads = QueryThreads(1)
        self._organizations = organizations
        self._directory = TokenDirectory(lambda: self.seconds)
        self.follower = DirectoryFollower(organizations, self._directory)
        self.log = MemoryMetricLog(self._clock)
        self.active_series = MemoryActiveSeries(self._clock)
        self.use_cases = self.composed(self.log)
        self.manage = self.use_cases.manage
        self.app = self.app_for(OPERATOR)
        self.queries_at_hand = QueriesAtHand(replace(Reading.of(self.use_cases), projections=self))
        self.short_answers = 0

    def composed(self, metric_log: MetricLog) -> UseCases:
        """Compose the use cases with another log to append to."""
        ports = ServicePorts(
            organizations=self._organizations,
            organization_log=self._organizations,
            hot=self.log,
            server=self.log,
            codec=self.log.codec,
            refused_points=MemoryRefusedPoints(self._clock),
            usage=MemoryUsageStore(),
            directory=self._directory,
            metric_log=metric_log,
            log_health=self.log,
            queries=self.read_model,
            promql=PromqlEngine(self.series),
            series=self.series,
            positions=self.read_model,
            generations=self.read_model,
            quota_buckets=MemoryQuotaBuckets(),
            active_series=self.active_series,
            threads=self.threads,
        )
        # Each call updates the directory. No thread does.
        limits = Limits(
            own_change_patience=0,
            receipt_patience=RECEIPT_SECONDS,
            receipt_interval=0.01,
            status_interval=0.0,
            status_share=math.inf,
            status_patience=60.0,
        )
        return compose(ports, self._clock, self._new_token, limits=limits)

    def app_for(self, operator_token: str | None) -> Any:
        return create_app(
            replace(self.use_cases, readiness=self.readiness),
            self.publish,
            operator_token=operator_token,
            clock=self._clock,
        )

    def known_running(self, *projections: Projection) -> bool:
        """Return whether projections run, as of now: here, no look is recent enough to count."""
        generations = self.read_model.generations
        return not any(generations[projection.name].stopped for projection in projections)

    def _clock(self) -> datetime:
        return self.now

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
        """Send one request, with `token` as Bearer token. `body` is passed to httpx.

        If it can be answered the short way as well, both answers are compared.
        """
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
            answer = await client.request(method, path, headers=headers, **body)
        at_hand = self.queries_at_hand.answer(head_of(answer.request))
        if at_hand is not None:
            assert at_hand.status == answer.status_code
            assert sorted(at_hand.headers) == sorted(answer.headers.raw)
            assert at_hand.body == answer.content
            self.short_answers += 1
        return answer


def head_of(request: httpx.Request) -> bytes:
    """Return a request's head as a client writes it, without its empty line."""
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), request.url.raw_path)]
    lines += [b"%b: %b" % header for header in request.headers.raw]
    return b"\r\n".join(lines)


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
