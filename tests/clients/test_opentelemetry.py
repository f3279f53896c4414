"""OpenTelemetry's SDK publishes unmodified, and the log has what it sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableGauge,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from tests.e2e.tenant import Tenant

TAGS = {"service.name": "checkout"}
DELTA = AggregationTemporality.DELTA

Series = tuple[str, tuple[tuple[str, str], ...]]


@contextmanager
def meter(tenant: Tenant, **options: Any) -> Iterator[Meter]:
    """A meter whose metrics are sent at the end."""
    exporter = OTLPMetricExporter(
        endpoint=f"{tenant.service.url}/v1/metrics",
        headers={"Authorization": f"Bearer {tenant.token}"},
        **options,
    )
    provider = MeterProvider(
        [PeriodicExportingMetricReader(exporter, export_interval_millis=3_600_000)],
        resource=Resource.create({"service.name": "checkout", "process.pid": 1}),
        views=[
            View(
                instrument_name="*.exponential",
                aggregation=ExponentialBucketHistogramAggregation(),
            )
        ],
    )
    try:
        yield provider.get_meter("tests")
        assert provider.force_flush()
    finally:
        provider.shutdown()


def series(name: str, **tags: str) -> Series:
    return name, tuple(sorted({**TAGS, **tags}.items()))


def last_values(tenant: Tenant) -> Mapping[Series, float]:
    """Return the last value of each series."""
    events = tenant.events()
    return {
        (point.name, tuple(sorted(point.tags.items()))): point.value
        for receipt in sorted(events)
        for point in events[receipt].event.points.points()
    }


@pytest.mark.parametrize("compression", [*Compression])
def test_instruments_are_stored_as_their_points(tenant: Tenant, compression: Compression) -> None:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        yield Observation(21.5, {"room": "hall", "floor": 2})

    with meter(tenant, compression=compression) as instruments:
        requests = instruments.create_counter("http.requests", unit="{request}")
        requests.add(3, {"method": "GET", "ok": True})
        requests.add(4, {"method": "GET", "ok": True})
        instruments.create_up_down_counter("queue.length").add(-2)
        instruments.create_observable_gauge("temperature", callbacks=[observe])
        latency = instruments.create_histogram(
            "latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1.0]
        )
        for value in (0.05, 0.5, 0.5, 5.0):
            latency.record(value)
        instruments.create_histogram("size.exponential").record(3.0)
    stored = last_values(tenant)
    exponential = {key: stored[key] for key in stored if key[0].startswith("size.exponential")}
    assert {key: value for key, value in stored.items() if key not in exponential} == {
        series("http.requests", method="GET", ok="true"): 7,
        series("queue.length"): -2,
        series("temperature", room="hall", floor="2"): 21.5,
        series("latency_bucket", le="0.1"): 1,
        series("latency_bucket", le="1"): 3,
        series("latency_bucket", le="+Inf"): 4,
        series("latency_count"): 4,
        series("latency_sum"): 6.05,
        series("latency_min"): 0.05,
        series("latency_max"): 5,
    }
    assert exponential[series("size.exponential_bucket", le="+Inf")] == 1
    assert exponential[series("size.exponential_sum")] == 3
    bounds = {dict(tags)["le"] for name, tags in exponential if name.endswith("_bucket")}
    assert any(float(bound) >= 3 for bound in bounds - {"+Inf"})


def test_deltas_are_stored_as_sent(tenant: Tenant) -> None:
    delta = dict.fromkeys((Counter, Histogram, UpDownCounter, ObservableGauge), DELTA)
    for added in (3, 4):
        with meter(tenant, preferred_temporality=delta) as instruments:
            instruments.create_counter("http.requests").add(added)
        assert last_values(tenant) == {series("http.requests"): added}


def test_a_point_that_is_refused_does_not_cost_the_others(tenant: Tenant) -> None:
    with meter(tenant) as instruments:
        counter = instruments.create_counter("http.requests")
        counter.add(1, {"path": "/"})
        counter.add(1, {"path": "x" * 2000})
    assert last_values(tenant) == {series("http.requests", path="/"): 1}
    answer = tenant.client.get(
        f"{tenant.path}/refused", headers={"Authorization": f"Bearer {tenant.token}"}
    )
    refused = answer.json()["refused"]  # once for each export: the SDK makes another at the end
    assert {(each["protocol"], each["reason"]) for each in refused} == {("otlp", "invalid_tag")}
