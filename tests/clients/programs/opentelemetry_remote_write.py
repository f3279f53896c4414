"""Measure with OpenTelemetry's SDK, and export by remote write with the exporter in `client.py`.

Arguments: the URL of a second receiver, which gets the same; and for how many seconds.
"""

from __future__ import annotations

import sys
from typing import Any

from client import exporter
from opentelemetry.exporter.prometheus_remote_write import PrometheusRemoteWriteMetricsExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry_sdk import measure


class Twice(MetricExporter):
    """Exports by two exporters, first by the second."""

    def __init__(self, first: MetricExporter, second: MetricExporter) -> None:
        super().__init__(first._preferred_temporality, first._preferred_aggregation)
        self._exporters = second, first

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **options: Any
    ) -> MetricExportResult:
        for each in self._exporters:
            each.export(metrics_data, timeout_millis, **options)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **options: Any) -> None:
        pass


if __name__ == "__main__":
    recorder = PrometheusRemoteWriteMetricsExporter(endpoint=sys.argv[1])
    measure(float(sys.argv[2]), Twice(exporter, recorder))
