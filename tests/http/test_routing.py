"""Routing of requests, and the answers to unknown paths and methods."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from litestar import Litestar

from tests.http.conftest import OPERATOR, Service, problem_of


@pytest.mark.parametrize(
    ("path", "called"),
    [
        ("/organizations/gilt/metrics", ("gilt", None)),
        ("/organizations/gilt/teams/web/metrics", ("gilt", "web")),
        ("/organizations/teams/metrics", ("teams", None)),
        ("/organizations/gilt/metrics/", ("gilt", None)),
        ("/organizations/gilt/teams/web/metrics/", ("gilt", "web")),
        ("/organizations/gi%20lt/metrics?x=1", ("gi lt", None)),
    ],
)
def test_publish_answers_on_every_spelling_of_its_paths(
    service: Service, path: str, called: tuple[str, str | None]
) -> None:
    response = service.call("POST", path, json={"metrics": []})
    assert (response.status_code, response.content) == (202, b"")
    assert response.headers["cave-receipt"] == "3-7-0"
    assert response.headers["content-length"] == "0"
    assert service.publish.calls == [called]


def test_publish_does_not_go_through_the_framework(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise AssertionError("routed")

    monkeypatch.setattr(service.app, "routed", fail)
    assert service.call("POST", "/organizations/gilt/metrics").status_code == 202
    assert service.call("POST", "/organizations/gilt/teams/web/metrics").status_code == 202


@pytest.mark.parametrize(
    "path", ["/static", "/organization", "/organizations/gilt/metric", "/docs/nothing", "/a%0Ab"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_an_unknown_path_is_a_404(service: Service, method: str, path: str) -> None:
    response = service.call(method, path)
    if method == "HEAD":
        assert (response.status_code, response.content) == (404, b"")
    else:
        problem_of(response, 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/organizations/gilt/metrics", "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/organizations/gilt/teams/web/metrics", "GET, HEAD, OPTIONS, POST"),
        ("GET", "/organizations", "OPTIONS, POST"),
        ("HEAD", "/organizations", "OPTIONS, POST"),
        ("DELETE", "/organizations/gilt", "GET, HEAD, OPTIONS"),
        ("PATCH", "/organizations/gilt/tokens", "GET, HEAD, OPTIONS, POST"),
        ("POST", "/organizations/gilt/tokens/id1", "DELETE, GET, HEAD, OPTIONS"),
        ("POST", "/health/live", "GET, HEAD, OPTIONS"),
        ("TRACE", "/metrics", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_wrong_method_is_a_405_with_the_allowed_methods(
    service: Service, method: str, path: str, allowed: str
) -> None:
    response = service.call(method, path, OPERATOR)
    assert response.headers["allow"] == allowed
    if method == "HEAD":
        assert (response.status_code, response.content) == (405, b"")
    else:
        assert allowed in problem_of(response, 405)["detail"]


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/docs", "/docs/openapi.json", "/organizations/gilt"]
)
def test_head_is_a_get_without_the_body(service: Service, path: str) -> None:
    token = service.register("gilt")
    got = service.call("GET", path, token)
    head = service.call("HEAD", path, token)
    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers["content-length"] == str(len(got.content))


def test_options_returns_the_allowed_methods(service: Service) -> None:
    response = service.call("OPTIONS", "/organizations/gilt/tokens")
    assert response.status_code == 204
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"


def test_an_invalid_host_is_answered_with_a_problem(service: Service) -> None:
    problem_of(service.call("GET", "/health/live", headers={"Host": "a b"}), 400)


def test_the_lifespan_is_the_frameworks(service: Service) -> None:
    sent: list[dict[str, Any]] = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(service.app({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


def test_the_framework_logs_nothing_by_itself(service: Service) -> None:
    routed = cast("Litestar", service.app.routed)
    assert routed.logging_config is None
    assert routed.debug is False
