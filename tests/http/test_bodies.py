from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.http.api.json_body import MAX_BYTES
from tests.http.conftest import Service, problem_of

TOKENS = "/organizations/gilt/tokens"


@pytest.fixture
def admin(service: Service) -> str:
    return service.register("gilt")


@pytest.mark.parametrize(
    "media", [None, "application/json", "Application/JSON", "application/json; charset=utf-8"]
)
def test_json_is_accepted(service: Service, admin: str, media: str | None) -> None:
    headers = {"Content-Type": media} if media else {}
    response = service.call("POST", TOKENS, admin, headers=headers, content=b"{}")
    assert response.status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/problem+json"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
def test_other_media_types_and_encodings_are_refused(
    service: Service, admin: str, headers: dict[str, str]
) -> None:
    response = service.call("POST", TOKENS, admin, headers=headers, content=b"{}")
    problem_of(response, 415, "unsupported-media")


@pytest.mark.parametrize("content", [b"", b"{", b"nonsense", b"\xff{}", b"{}{}"])
def test_a_body_that_is_not_json_is_malformed(service: Service, admin: str, content: bytes) -> None:
    problem_of(service.call("POST", TOKENS, admin, content=content), 400, "malformed-body")


def test_deep_nesting_is_malformed_and_not_a_defect(service: Service, admin: str) -> None:
    response = service.call("POST", TOKENS, admin, content=b"[" * 60_000)
    assert response.status_code == 400


def test_the_limit_is_exact_also_without_a_declared_length(service: Service, admin: str) -> None:
    full = b"{}" + b" " * (MAX_BYTES - 2)

    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 10_000):
            yield body[start : start + 10_000]

    assert service.call("POST", TOKENS, admin, content=full).status_code == 201
    assert service.call("POST", TOKENS, admin, content=chunks(full)).status_code == 201
    response = service.call("POST", TOKENS, admin, content=chunks(full + b" "))
    problem_of(response, 413, "body-too-large")


def test_a_client_that_disconnects_is_not_a_defect(
    service: Service, admin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    service.follower.catch_up()
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope = {
        "type": "http",
        "method": "POST",
        "path": TOKENS,
        "query_string": b"",
        "headers": [(b"authorization", b"Bearer " + admin.encode())],
    }
    asyncio.run(service.app(scope, receive, send))
    assert statuses == [400]
    assert capsys.readouterr().out == ""
