"""429: only the organization that is over its quota."""

from __future__ import annotations

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
        assert tenant.publish(metrics(*[POINT] * 10_300)).status_code == 202
        refusal = tenant.publish()
        assert (refusal.status_code, refusal.headers["retry-after"]) == (429, "1")
        service.wait_for_all_workers(lambda: tenant.publish().status_code == 202)
