from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from adapters.http.telemetry import exposition, record_publish
from application.errors import LogUnavailable
from application.projections.status import State
from application.publishing.ports import Idempotency, IdempotencyRecords
from application.readiness import ReadinessReport
from tests.contracts.metric_log import published
from tests.http.conftest import Service, problem_of
from tests.http.log_status import LOG_STATUS

KEYS = IdempotencyRecords(7, 10)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(name: str, **labels: str) -> float:
    return samples(exposition(None, LOG_STATUS, KEYS).decode()).get(
        (name, frozenset(labels.items())), 0.0
    )


def test_live_is_live(service: Service) -> None:
    service.readiness.answer = ReadinessReport(("the log does not answer",))
    response = service.call("GET", "/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "live"})
    assert response.headers["cache-control"] == "no-store"


def test_ready_lists_its_warnings(service: Service) -> None:
    states = {"points": State.STANDBY, "metric_names": State.LIVE}
    service.readiness.answer = ReadinessReport((), ("appendfsync is everysec",), states)
    response = service.call("GET", "/health/ready")
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "warnings": ["appendfsync is everysec"],
        "projections": {"points": "standby", "metric_names": "live"},
    }


def test_not_ready_lists_its_problems(service: Service) -> None:
    service.readiness.answer = ReadinessReport(("the log is away", "still catching up"), ("weak",))
    response = service.call("GET", "/health/ready")
    problem = problem_of(response, 503, "not-ready")
    assert response.headers["retry-after"] == "1"
    assert problem["problems"] == ["the log is away", "still catching up"]
    assert problem["warnings"] == ["weak"]
    assert problem["detail"] == "the log is away; still catching up"


def test_answered_requests_are_counted(service: Service) -> None:
    count = "cave_http_requests_total"
    live = {"operation": "live", "status": "200"}
    unknown = {"operation": "unrouted", "status": "404"}
    options = {"operation": "options", "status": "204"}
    published = value(count, operation="publish", status="202")
    before = [value(count, **labels) for labels in (live, unknown, options)]
    service.call("GET", "/health/live")
    service.call("HEAD", "/health/live")
    service.call("GET", "/nowhere")
    service.call("OPTIONS", "/health/live")
    service.call("POST", "/organizations/gilt/metrics/")
    after = [value(count, **labels) for labels in (live, unknown, options)]
    assert [b - a for a, b in zip(before, after, strict=True)] == [2, 1, 1]
    assert value(count, operation="publish", status="202") == published, "publish counts for itself"


def test_points_of_a_publish_are_counted_only_if_accepted() -> None:
    names = ("cave_points_accepted_total", "cave_publish_body_bytes_total")
    before = [value(name) for name in names]
    seconds = value("cave_publish_seconds_count")
    answered = [value("cave_http_requests_total", operation="publish", status="503")]
    record_publish(202, 100, 8_000, 0.004)
    record_publish(503, 0, 8_000, 0.5)
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


def projection_samples(service: Service, name: str) -> dict[str, float]:
    """Return a projection's samples by metric, or by state for the state metric."""
    return {
        dict(labels).get("state", metric.removeprefix("cave_projection_")): number
        for (metric, labels), number in samples(service.call("GET", "/metrics").text).items()
        if metric.startswith("cave_projection_") and ("projection", name) in labels
    }


def test_metrics_have_each_projections_state_and_lag(service: Service) -> None:
    lags = {"lag_events": 0.0, "lag_seconds": 0.0}
    states = {"live": 0.0, "standby": 0.0, "stopped": 0.0, "missing": 0.0, "unknown": 0.0}
    assert projection_samples(service, "points") == {**states, "live": 1.0, **lags}
    live = service.read_model.generations
    live["points"] = replace(live["points"], stopped="the log is another")
    del live["metric_names"]
    asyncio.run(service.log.append(published("gilt", None, [("orders", 0, 1.0, {})])))
    service.now += timedelta(seconds=90)
    lags = {"lag_events": 1.0, "lag_seconds": 90.0}
    assert projection_samples(service, "points") == {**states, "stopped": 1.0, **lags}
    assert projection_samples(service, "metric_names") == {**states, "missing": 1.0, **lags}


def test_metrics_say_that_the_projections_state_is_unknown(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(partition: int) -> int:
        raise LogUnavailable("the log is away")

    monkeypatch.setattr(service.log, "extent", failing)
    found = projection_samples(service, "points")
    assert found == {"live": 0.0, "standby": 0.0, "stopped": 0.0, "missing": 0.0, "unknown": 1.0}


def test_metrics_have_the_number_of_idempotency_keys_and_its_limit(service: Service) -> None:
    asyncio.run(service.log.append(published("gilt"), Idempotency("key", b"body")))
    found = samples(service.call("GET", "/metrics").text)
    records = service.log.idempotency()
    assert found["cave_idempotency_records", frozenset()] == records.records == 1
    assert found["cave_idempotency_records_limit", frozenset()] == records.limit


def test_the_metrics_directory_of_another_program_is_ignored(tmp_path: Path) -> None:
    code = "from adapters.http.telemetry import record_publish; record_publish(202, 5, 70, 0.1)"
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
