"""A service with series in memory, asked through Prometheus' HTTP API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from application.reading.series import Owner
from tests.http.conftest import START, Service

NOW = int(START.timestamp())
ORGANIZATION = "/organizations/gilt/prometheus/api/v1"
TEAM = "/organizations/gilt/teams/web/prometheus/api/v1"
ROOT = "/api/v1"


class Asking:
    """A service with an organization `gilt` and its team `web`, which have series `up`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = service.register("gilt", "read")
        service.create_team("gilt", "web")
        self.team_token = service.issue("gilt", "read", team="web")
        times = [(NOW - 60 + 15 * n) * 1000 for n in range(5)]
        for owner, hosts in ((Owner("gilt"), ("a", "b")), (Owner("gilt", "web"), ("c",))):
            for host in hosts:
                labels = {"__name__": "up", "host": host}
                service.series.add(owner, labels, [(t, float(n)) for n, t in enumerate(times)])

    def get(self, path: str, token: str | None = None, **parameters: Any) -> httpx.Response:
        return self.service.call("GET", path, token or self.token, params=parameters)

    def post(self, path: str, **form: Any) -> httpx.Response:
        return self.service.call("POST", path, self.token, data=form)


@pytest.fixture
def asking(service: Service) -> Asking:
    return Asking(service)


def data_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    assert content["status"] == "success"
    return content["data"]


def error_of(answer: httpx.Response, status: int) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    content = answer.json()
    assert content["status"] == "error"
    return content["errorType"], content["error"]
