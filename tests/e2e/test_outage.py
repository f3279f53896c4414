"""503: while the log is unavailable nothing is acknowledged; afterwards the service recovers."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from redis import Redis

from tests.e2e.conftest import StartService
from tests.e2e.tenant import Tenant, metrics
from tests.http.conftest import problem_of
from tests.servers import LogServer, redis_binary, start_redis, start_valkey
from tests.service import Service
from tests.waiting import wait_until


@pytest.fixture
def log_server() -> Iterator[LogServer]:
    with TemporaryDirectory(prefix="cave-") as directory:
        server = start_valkey(Path(directory))
        yield server
        server.kill()


@pytest.fixture
def tenant(start_service: StartService, log_server: LogServer) -> Iterator[Tenant]:
    """An organization of a service on an external log server."""
    service: Service = start_service(REDIS_URL=log_server.url)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield Tenant(service, client)


def refused(tenant: Tenant) -> str:
    """Publish, check that the answer is a 503 with a Retry-After, and return its type."""
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
    # An empty batch does not need the log.
    assert tenant.publish(metrics()).status_code == 202

    log_server.start()
    wait_until(lambda: tenant.client.get("/health/ready").status_code == 200)
    assert tenant.publish().status_code == 202


def test_a_stalled_log_is_a_503_and_tokens_are_not_trusted_for_long(
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


def test_a_full_log_is_a_503_and_the_service_and_its_commands_can_start_on_it(
    tenant: Tenant, log_server: LogServer
) -> None:
    assert tenant.publish().status_code == 202
    with Redis.from_url(log_server.url) as client:
        client.config_set("maxmemory", 1)
        assert refused(tenant) == "log-full"
        # Connections are restored, workers start, and commands that only read the log work.
        client.client_kill_filter(_type="normal", skipme=True)
        tenant.service.wait_for_all_workers(lambda: refused(tenant) == "log-full")
        (worker,) = tenant.service.pids("worker")
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: tenant.service.pids("worker") != [worker])
        assert refused(tenant) == "log-full"
        assert tenant.name in tenant.service.cave("org", "list", "--redis-url", log_server.url)
        client.config_set("maxmemory", 0)
    assert tenant.publish().status_code == 202


@pytest.mark.parametrize("binary", ["valkey", pytest.param("redis", marks=pytest.mark.slow)])
def test_a_weak_log_server_is_refused_naming_the_setting_or_warned_about(
    tmp_path: Path, start_service: StartService, binary: str
) -> None:
    starts = {"valkey": start_valkey, "redis": start_redis}
    if binary == "redis" and redis_binary() is None:
        pytest.skip("redis-server is not on the PATH")
    with TemporaryDirectory(prefix="cave-") as directory:
        server = starts[binary](Path(directory))
        try:
            with Redis.from_url(server.url) as client, socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
                free.close()
                client.config_set("port", port)
                client.config_set("requirepass", "a:pass/word")
                client.config_set("appendfsync", "everysec")
            url = f"redis://:a%3Apass%2Fword@127.0.0.1:{port}/3"
            refused = Service(tmp_path, REDIS_URL=url)
            with pytest.raises(AssertionError):
                refused.start()
            assert refused.wait() == 1
            last = refused.errors().strip().split("\n")[-1]
            assert last.startswith("cave serve: ")
            assert "appendfsync" in last
            assert "pass" not in refused.errors()
            service = start_service(REDIS_URL=url, ALLOW_WEAK_LOG=1)
            ready = service.answer("GET", "/health/ready")
            assert ready[0] == 200
            assert any("appendfsync" in warning for warning in ready[1]["warnings"])
            assert "appendfsync" in service.errors()
        finally:
            server.kill()
