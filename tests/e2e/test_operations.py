"""Health, metrics and docs of a running service, and `cave` commands alongside it."""

from __future__ import annotations

import json
import shutil

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.conftest import StartService
from tests.e2e.tenant import POINT, Tenant, metrics
from tests.waiting import wait_until


def test_it_is_live_and_ready(tenant: Tenant) -> None:
    for path, status in (("/health/live", "live"), ("/health/ready", "ready")):
        response = tenant.client.get(path)
        assert (response.status_code, response.json()["status"]) == (200, status)


def test_publishes_are_counted_by_status(start_service: StartService) -> None:
    service = start_service()  # one worker: those of others are counted a second later

    def counted() -> dict[str, float]:
        text = service.text("/metrics")
        return {
            sample.labels.get("status", sample.name): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "cave_points_accepted_total"
            or (sample.name, sample.labels.get("operation"))
            == ("cave_http_requests_total", "publish")
        }

    with httpx.Client(base_url=service.url, timeout=30) as client:
        tenant = Tenant(service, client)
        before = counted()
        tenant.publish(metrics(POINT, POINT))
        tenant.publish(metrics(POINT, 7))
        tenant.publish(metrics(POINT, 7), token="unknown")
        after = counted()
    for name, more in {"202": 1, "400": 1, "403": 1, "cave_points_accepted_total": 2}.items():
        assert after[name] - before.get(name, 0) == more


def test_metrics_of_several_workers_survive_the_loss_of_their_directory(
    start_service: StartService,
) -> None:
    service = start_service(WORKERS=2)
    shutil.rmtree(service.data_dir.path / "run", ignore_errors=True)
    asked = 0

    def all_are_counted() -> bool:
        nonlocal asked
        asked += 1
        text = service.text("/metrics")
        found = {
            sample.labels["operation"]: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == "cave_http_requests_total"
        }
        return found.get("prometheus_metrics") == asked - 1

    wait_until(all_are_counted)


def test_the_docs_describe_publish(tenant: Tenant) -> None:
    assert tenant.client.get("/docs").status_code == 200
    described = tenant.client.get("/docs/openapi.json").json()
    answers = described["paths"]["/organizations/{organization}/metrics"]["post"]["responses"]
    assert set(answers) >= {"202", "400", "401", "403", "404", "413", "415", "422", "429", "503"}


def test_commands_share_the_log_of_a_running_service(tenant: Tenant) -> None:
    receipt = tenant.publish(metrics(POINT)).headers["cave-receipt"]
    shown = json.loads(tenant.service.cave("events", "show", receipt, "--json"))
    assert (shown["receipt"], shown["organization"]) == (receipt, tenant.name)
    assert [(p["name"], p["value"], p["tags"]) for p in shown["points"]] == [
        (POINT["name"], POINT["value"], POINT["tags"])
    ]
    tenant.service.cave("org", "create", f"{tenant.name}-b", "--quiet")
    token = tenant.service.cave("token", "issue", tenant.name, "--scope", "publish", "--quiet")
    tenant.service.wait_for_all_workers(
        lambda: tenant.publish(metrics(), token=token).status_code == 202
    )
