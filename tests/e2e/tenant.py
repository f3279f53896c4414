"""An organization for one test, and a client that publishes for it."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import httpx

from application.event_log.ports import RecordedMetrics
from tests.http.conftest import problem_of
from tests.service import Service

POINT = {
    "name": "http.cache.hits",
    "timestamp": 1_398_788_625,
    "value": 123,
    "tags": {"service": "svc-important", "host": "svc12.prod.iad"},
}
TEAM = "web"

_numbers = count()


def metrics(*items: Any) -> bytes:
    """Return a body with these items."""
    return json.dumps({"metrics": items}).encode()


def point(**changes: Any) -> dict[str, Any]:
    """Return a valid item with some fields changed."""
    return {**POINT, **changes}


class Tenant:
    """An organization with a token for `publish` and `admin`, and a team `web`."""

    def __init__(self, service: Service, client: httpx.Client) -> None:
        self.service = service
        self.client = client
        self.name = f"org{next(_numbers)}"
        self.path = f"/organizations/{self.name}"
        self.token = service.register(self.name)
        self.create_team(TEAM)

    def create_team(self, name: str) -> None:
        """Create a team, and wait until every worker knows it."""
        self.service.ask("POST", f"{self.path}/teams", {"name": name}, self.token)
        team = f"{self.path}/teams/{name}"
        self.service.wait_for_all_workers(
            lambda: self.service.answer("GET", team, token=self.token)[0] == 200
        )

    def metrics_path(self, team: str | None = None) -> str:
        """Return the path to publish to."""
        return f"{self.path}/metrics" if team is None else f"{self.path}/teams/{team}/metrics"

    def publish(
        self,
        content: bytes = metrics(POINT),
        *,
        token: str | None = None,
        team: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """Publish a body, by default with the organization's token."""
        sent = {
            "Authorization": f"Bearer {token or self.token}",
            "Content-Type": "application/json",
            **(headers or {}),
        }
        return self.client.post(self.metrics_path(team), content=content, headers=sent)

    def refused(self, status: int, kind: str, *content: bytes, **options: Any) -> dict[str, Any]:
        """Publish a body that must be refused and not be in the log; return the problem."""
        before = self.events()
        response = self.publish(*content, **options)
        assert "cave-receipt" not in response.headers
        assert self.events() == before
        return problem_of(response, status, kind)

    def issue(self, *scopes: str, team: str | None = None, **body: Any) -> dict[str, Any]:
        """Issue a token, wait until every worker knows it, and return the answer."""
        owner = self.path if team is None else f"{self.path}/teams/{team}"
        issued = self.service.ask(
            "POST", f"{owner}/tokens", {"scopes": scopes or ["publish"], **body}, self.token
        )
        path = f"{owner}/tokens/{issued['id']}"
        self.service.wait_for_all_workers(lambda: self._knows(issued["token"], path))
        return issued

    def _knows(self, token: str, path: str) -> bool:
        """Return whether a worker knows a token: it then answers, or refuses only for the scope."""
        status, answer = self.service.answer("GET", path, token=token)
        return status == 200 or "scope" in answer["detail"]

    def events(self) -> dict[str, RecordedMetrics]:
        """Return the organization's events by receipt, including those of its teams."""
        return {
            receipt: recorded
            for receipt, recorded in self.service.stored().items()
            if recorded.event.organization == self.name
        }
