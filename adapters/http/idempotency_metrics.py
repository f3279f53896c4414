"""Prometheus metrics of the idempotency keys that the log remembers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from application.publishing.ports import IdempotencyRecords


class IdempotencyMetrics(Collector):
    """How many keys there are and may be. Every worker reads the same, so they are not summed."""

    def __init__(self, keys: IdempotencyRecords) -> None:
        self._keys = keys

    def collect(self) -> Iterable[Metric]:
        return [
            GaugeMetricFamily(
                "cave_idempotency_records",
                "Idempotency keys that the log remembers.",
                value=self._keys.records,
            ),
            GaugeMetricFamily(
                "cave_idempotency_records_limit",
                "Idempotency keys that the log may remember; new ones are refused from there on.",
                value=self._keys.limit,
            ),
        ]
