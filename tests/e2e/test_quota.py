"""Limits of organizations over all workers: a 429 only for the one that is over its own."""

from __future__ import annotations

import time

import httpx

from tests.e2e.conftest import StartService
from tests.e2e.tenant import POINT, Tenant, metrics


def test_an_organization_over_its_quota_gets_a_retry_after(
    start_service: StartService,
) -> None:
    service = start_service(QUOTA=10)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        over, other = Tenant(service, client), Tenant(service, client)
        batch = metrics(*[POINT] * 1000)
        assert over.publish(batch).status_code == 202
        refusal = over.publish()
        assert int(refusal.headers["retry-after"]) >= 1
        over.refused(429, "quota-exceeded")
        assert over.publish(metrics()).status_code == 202
        assert other.publish().status_code == 202
        assert (len(over.events()), len(other.events())) == (1, 1)


def test_publishing_succeeds_after_the_retry_after(start_service: StartService) -> None:
    service = start_service(QUOTA=1000)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        tenant = Tenant(service, client)
        assert tenant.publish(metrics(*[POINT] * 13_000)).status_code == 202
        refusal = tenant.publish()
        assert refusal.status_code == 429
        seconds = int(refusal.headers["retry-after"])
        assert 1 <= seconds <= 3
        time.sleep(seconds)
        assert tenant.publish().status_code == 202


def test_limits_of_its_own_count_over_all_workers_and_change_without_a_restart(
    start_service: StartService,
) -> None:
    service = start_service(WORKERS=2)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        tenant = Tenant(service, client)
        for _ in range(20):
            assert tenant.publish(metrics(*[POINT] * 100)).status_code == 202
        limits = ("org", "limits", tenant.name, "--points-per-second", "0.001", "--burst", "450")
        reader = str(tenant.issue("read")["token"])
        service.cave(*limits)
        health = f"{tenant.path}/health"
        service.wait_for_all_workers(
            lambda: service.ask("GET", health, token=reader)["quota"] is not None
        )
        answers = []
        for _ in range(20):  # each on a connection of its own, to either worker
            path, body = f"{tenant.path}/metrics", {"metrics": [POINT] * 100}
            answers.append(service.answer("POST", path, body, tenant.token)[0])
        assert answers == [202] * 5 + [429] * 15
        service.cave("org", "limits", tenant.name, "--reset")
        service.wait_for_all_workers(lambda: tenant.publish().status_code == 202)


def test_active_series_count_over_all_workers(start_service: StartService) -> None:
    service = start_service(WORKERS=2, SERIES_LIMIT=30)
    with httpx.Client(base_url=service.url, timeout=30) as client:
        tenant, other = Tenant(service, client), Tenant(service, client)

        def publish(host: int, query: str = "") -> int:
            """Publish a point on a connection of its own, to either worker; return the status."""
            point = {**POINT, "tags": {"host": f"h{host}"}}
            path = f"{tenant.path}/metrics{query}"
            return service.answer("POST", path, {"metrics": [point]}, tenant.token)[0]

        assert [publish(host) for host in range(40)] == [202] * 30 + [429] * 10
        assert [publish(host) for host in range(30)] == [202] * 30
        assert other.publish().status_code == 202
        service.cave("org", "limits", tenant.name, "--series", "31")
        service.wait_for_all_workers(lambda: publish(31) == 202)
        assert publish(32, "?partial=true") == 429
        service.cave("org", "limits", tenant.name, "--series", "none")
        assert [publish(host) for host in (30, 31, 32)] == [429, 202, 429]
