"""A full log: publishing is a 503, but access can be withdrawn and everything can be read."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from tests.e2e.conftest import StartService
from tests.e2e.tenant import Tenant
from tests.service import Service, running
from tests.waiting import wait_until

FILLER = "filler"


@pytest.fixture
def tenant(start_service: StartService) -> Iterator[Tenant]:
    """An organization of a service whose embedded log server has little memory."""
    service = start_service(MAX_MEMORY="24MiB")
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield Tenant(service, client)


@pytest.fixture
def log(tenant: Tenant) -> Iterator[Redis]:
    with Redis.from_url(tenant.service.data_dir.url) as client:
        yield client


def fill(log: Redis) -> None:
    try:
        while True:
            log.xadd(FILLER, {"x": b"x" * (1 << 20)})
    except OutOfMemoryError:
        used: Any = log.info("memory")
        log.config_set("maxmemory", used["used_memory"] - (4 << 20))


def published(tenant: Tenant) -> str:
    """Publish, and return the type of the problem, or the empty string for a 202."""
    response = tenant.publish()
    if response.status_code == 202:
        return ""
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    kind: str = response.json()["type"]
    return kind.removeprefix("urn:cave:problem:")


def test_tokens_can_be_revoked_over_http_and_on_the_command_line(
    tenant: Tenant, log: Redis
) -> None:
    by_http, by_command = tenant.issue(), tenant.issue()
    fill(log)
    assert published(tenant) == "log-full"
    issue = tenant.client.post(
        f"{tenant.path}/tokens", json={"scopes": ["read"]}, auth=(tenant.token, "")
    )
    assert (issue.status_code, issue.json()["type"]) == (503, "urn:cave:problem:log-full")

    path = f"{tenant.path}/tokens/{by_http['id']}"
    assert tenant.client.delete(path, auth=(tenant.token, "")).status_code == 204
    tenant.service.cave("token", "revoke", tenant.name, by_command["id"])
    wait_until(lambda: tenant.publish(token=by_http["token"]).status_code == 403)
    wait_until(lambda: tenant.publish(token=by_command["token"]).status_code == 403)
    assert published(tenant) == "log-full"
    log.delete(FILLER)
    assert published(tenant) == ""


def test_everything_that_reads_works_and_so_does_a_start(tenant: Tenant, log: Redis) -> None:
    receipt = tenant.publish().headers["cave-receipt"]
    fill(log)
    (worker,) = tenant.service.pids("worker")
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: tenant.service.pids("worker") != [worker])
    assert published(tenant) == "log-full"
    assert tenant.client.get("/health/ready").status_code == 200
    assert tenant.client.get(tenant.path, auth=(tenant.token, "")).status_code == 200
    assert tenant.name in tenant.service.cave("org", "list")
    assert receipt in tenant.service.cave("events", "show", receipt, "--json")
    assert list(tenant.events()) == [receipt]
    tenant.service.cave("replay", "points")
    tenant.service.cave("verify", "points")


@pytest.mark.slow
def test_a_log_larger_than_the_limit_is_served(tenant: Tenant) -> None:
    reader = tenant.issue("read")["token"]
    receipt = tenant.publish().headers["cave-receipt"]
    assert tenant.service.stop() == 0
    smaller = Service(tenant.service.data_dir.path.parent, MAX_MEMORY=100_000)
    with running(smaller), httpx.Client(base_url=smaller.url, timeout=30) as client:
        tenant.service, tenant.client = smaller, client
        assert published(tenant) == "log-full"
        assert list(tenant.events()) == [receipt]
        path = f"{tenant.path}/metrics?metric=http.cache.hits&receipt={receipt}"
        wait_until(lambda: client.get(path, auth=(reader, "")).status_code == 200)
