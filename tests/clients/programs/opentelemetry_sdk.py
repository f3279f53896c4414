"""Measure with OpenTelemetry's SDK and export by OTLP, as the environment says.

Arguments: `proto` or `json`, and for how many seconds. It exports every 200 ms, and prints a JSON
object for each data point, and one with the result after those of an export.
"""

from __future__ import annotations

import json
import math
import sys
import time
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import (
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource


def exporter_of(encoding: str) -> MetricExporter:
    """Return the exporter, configured by the environment alone."""
    if encoding == "json":
        from opentelemetry.exporter.otlp.json.http.metric_exporter import OTLPMetricExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    return OTLPMetricExporter(timeout=60)


class Printing(MetricExporter):
    """Prints what another exporter exports."""

    def __init__(self, exporter: MetricExporter) -> None:
        super().__init__(exporter._preferred_temporality, exporter._preferred_aggregation)
        self._exporter = exporter

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        lines = [
            json.dumps(described(metric, point))
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]
        print("\n".join(lines), flush=True)
        result = self._exporter.export(metrics_data, timeout_millis, **options)
        print(json.dumps({"result": result.name}), flush=True)
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        self._exporter.shutdown(timeout_millis, **options)


def described(metric: Any, point: Any) -> dict[str, Any]:
    """Return a data point as an object of JSON."""
    fields = (
        *("value", "count", "sum", "min", "max", "bucket_counts", "explicit_bounds"),
        *("scale", "zero_count", "zero_threshold"),
    )
    found = {name: getattr(point, name) for name in fields if hasattr(point, name)}
    for side in ("positive", "negative"):
        if hasattr(point, side):
            buckets = getattr(point, side)
            found[side] = {"offset": buckets.offset, "counts": list(buckets.bucket_counts)}
    return {
        "name": metric.name,
        "time": point.time_unix_nano,
        "attributes": dict(point.attributes),
        **found,
    }


def measure(seconds: float, exporter: MetricExporter) -> None:
    """Make measurements of every kind, with attributes of every type."""
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=200)
    exponential = View(
        instrument_name="latency.exponential", aggregation=ExponentialBucketHistogramAggregation()
    )
    provider = MeterProvider(
        [reader],
        resource=Resource.create(
            {"service.name": "shop", "service.namespace": "web", "process.pid": 1}
        ),
        views=[exponential],
    )
    meter = provider.get_meter("checkout", "1.0")
    orders = meter.create_counter("orders.placed", unit="1", description="orders placed")
    queue = meter.create_up_down_counter("queue.length")
    latency = meter.create_histogram("latency", unit="ms")
    fine = meter.create_histogram("latency.exponential", unit="ms")
    gauge = meter.create_gauge("temperature")

    def observed(options: CallbackOptions) -> list[Observation]:
        return [Observation(42, {"disk": "sda"}), Observation(0.5, {"disk": "sdb"})]

    meter.create_observable_gauge("disk.used", [observed])
    attributes: dict[str, Any] = {
        "text": "naïve",
        "number": 7,
        "share": 0.25,
        "flag": True,
        "empty": "",
        "list": ["a", "b"],
        "control": "a\nb",
        "9digit space": "x",
    }
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        number += 1
        orders.add(number, attributes)
        queue.add(1 if number % 3 else -2, {"shard": str(number % 5)})
        latency.record(number % 400 + 0.5, {"route": "/"})
        latency.record(number % 400 + 0.5, {"route": "too long" * 200})
        fine.record(math.exp(number % 20 - 10), {"route": "/"})
        fine.record(0, {"route": "/"})
        gauge.set([1.5, 1e300, 5e-324, -0.0][number % 4], {"room": str(number % 4)})
        time.sleep(0.02)
    provider.shutdown()


if __name__ == "__main__":
    measure(float(sys.argv[2]), Printing(exporter_of(sys.argv[1])))
