from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from adapters.http.api.readiness import ReadinessReport
from adapters.http.telemetry import exposition, record_publish
from tests.http.conftest import Service, problem_of


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return samples(exposition(None).decode()).get((name, frozenset(labels.items())), 0.0)


def test_live_is_live(service: Service) -> None:
    service.readiness.answer = ReadinessReport(("the log does not answer",))
    response = service.call("GET", "/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert response.headers["cache-control"] == "no-store"


def test_ready_tells_what_it_is_weak_in(service: Service) -> None:
    service.readiness.answer = ReadinessReport(warnings=("appendfsync is everysec",))
    response = service.call("GET", "/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "ready", "warnings": ["appendfsync is everysec"]}


def test_not_ready_tells_why(service: Service) -> None:
    service.readiness.answer = ReadinessReport(("the log is away", "still catching up"), ("weak",))
    response = service.call("GET", "/health/ready")
    problem = problem_of(response, 503, "not-ready")
    assert response.headers["retry-after"] == "1"
    assert problem["problems"] == ["the log is away", "still catching up"]
    assert problem["warnings"] == ["weak"]
    assert problem["detail"] == "the log is away; still catching up"


def test_the_service_counts_what_it_answers(service: Service) -> None:
    count = "cave_http_requests_total"
    live = {"operation": "live", "status": "200"}
    unknown = {"operation": "unrouted", "status": "404"}
    options = {"operation": "options", "status": "204"}
    before = [value(count, **labels) for labels in (live, unknown, options)]
    service.call("GET", "/health/live")
    service.call("HEAD", "/health/live")
    service.call("GET", "/nowhere")
    service.call("OPTIONS", "/health/live")
    service.call("POST", "/organizations/gilt/metrics/")
    after = [value(count, **labels) for labels in (live, unknown, options)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]
    assert value(count, operation="publish", status="202") == 0, "publish counts for itself"


def test_a_publish_is_counted_with_points_only_where_accepted() -> None:
    names = ("cave_points_accepted_total", "cave_publish_body_bytes_total")
    before = [value(name) for name in names]
    seconds = value("cave_publish_seconds_count")
    answered = [value("cave_http_requests_total", operation="publish", status="503")]
    record_publish(202, 100, 8_000, 0.004)
    record_publish(503, 100, 8_000, 0.5)
    assert [value(name) - then for name, then in zip(names, before, strict=True)] == [100, 16_000]
    assert value("cave_publish_seconds_count") - seconds == 2
    answered.append(value("cave_http_requests_total", operation="publish", status="503"))
    assert answered[1] - answered[0] == 1


def test_metrics_are_prometheus_text_with_help(service: Service) -> None:
    response = service.call("GET", "/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=")
    ours = [f for f in text_string_to_metric_families(response.text) if f.name.startswith("cave_")]
    assert {"cave_http_requests", "cave_publish_seconds"} <= {f.name for f in ours}
    assert all(family.documentation for family in ours)


def test_several_workers_are_counted_as_one(tmp_path: Path) -> None:
    record = "from adapters.http.telemetry import record_publish; record_publish(202, 5, 70, 0.1)"
    show = "from adapters.http.telemetry import exposition as e; print(e(None).decode())"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    def run(code: str) -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True
        ).stdout

    run(record)
    run(record)
    shown = samples(run(show))
    assert shown["cave_points_accepted_total", frozenset()] == 10
    assert shown["cave_publish_seconds_count", frozenset()] == 2
