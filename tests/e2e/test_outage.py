"""503: the log is away. Nothing is acknowledged then, and all goes on once it is back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tests.e2e.conftest import StartService
from tests.e2e.tenant import Tenant, metrics
from tests.entrypoints.served import wait_until
from tests.http.conftest import problem_of
from tests.servers import LogServer, start_valkey
from tests.service import Service


@pytest.fixture
def log_server() -> Iterator[LogServer]:
    with TemporaryDirectory(prefix="cave-") as directory:
        server = start_valkey(Path(directory))
        yield server
        server.kill()


@pytest.fixture
def tenant(start_service: StartService, log_server: LogServer) -> Iterator[Tenant]:
    """An organization of a service on a log server of somebody else's."""
    service: Service = start_service(REDIS_URL=log_server.url)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield Tenant(service, client)


def refused(tenant: Tenant) -> str:
    """Publish, check that it is a 503 with its Retry-After, and return its type."""
    response = tenant.publish()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert "cave-receipt" not in response.headers
    kind: str = response.json()["type"]
    return kind.removeprefix("urn:cave:problem:")


def test_a_log_that_is_down_is_a_503_until_it_is_back(
    tenant: Tenant, log_server: LogServer
) -> None:
    assert tenant.publish().status_code == 202
    log_server.kill()
    assert refused(tenant) in ("log-unavailable", "outcome-unknown")
    wait_until(lambda: refused(tenant) == "log-unavailable")
    assert tenant.client.get("/health/live").status_code == 200
    not_ready = tenant.client.get("/health/ready")
    problem = problem_of(not_ready, 503, "not-ready")
    assert problem["problems"] == ["the event log does not answer"]
    # A batch of nothing needs no log.
    assert tenant.publish(metrics()).status_code == 202

    log_server.start()
    wait_until(lambda: tenant.client.get("/health/ready").status_code == 200)
    assert tenant.publish().status_code == 202


def test_a_log_that_stalls_is_a_503_and_its_tokens_are_not_trusted_for_long(
    tenant: Tenant, log_server: LogServer
) -> None:
    log_server.pause()
    try:
        assert refused(tenant) == "outcome-unknown"
        wait_until(lambda: refused(tenant) == "directory-stale")
    finally:
        log_server.resume()
    wait_until(lambda: tenant.publish().status_code == 202)
    assert tenant.client.get("/health/ready").status_code == 200
