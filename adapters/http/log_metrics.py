"""Prometheus metrics of the log: its size by tier, and how the archiver does."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from application.archiving.status import LogStatus

MILLISECONDS = 1000


class LogMetrics(Collector):
    """The log's state. Every worker has the same values, so they are not summed."""

    def __init__(self, status: LogStatus) -> None:
        self._status = status

    def collect(self) -> Iterable[Metric]:
        status = self._status
        events = _by_tier(
            "cave_log_events",
            "Events of the metric log by tier; some may be in both.",
            server=sum(p.server_events for p in status.partitions),
            archive=sum(p.archive_events for p in status.partitions),
        )
        size = _by_tier(
            "cave_log_bytes",
            "Bytes of the metric log by tier: the server's memory, the archive's files.",
            server=sum(p.server_bytes for p in status.partitions),
            archive=sum(p.archive_bytes for p in status.partitions),
        )
        gaps = GaugeMetricFamily(
            "cave_log_gaps",
            "Partitions of the metric log in which events are missing.",
            value=sum(p.gap is not None for p in status.partitions),
        )
        found: list[Metric] = [events, size, gaps]
        if status.archive is None:
            return found
        found.append(
            GaugeMetricFamily(
                "cave_log_unsealed_seconds",
                "Age of the oldest event that is only on the log server, 0 if there is none.",
                value=status.unsealed_seconds,
            )
        )
        if status.last_sealed is not None:
            found.append(
                GaugeMetricFamily(
                    "cave_log_last_sealed_timestamp_seconds",
                    "When the newest segment of the archive was sealed, since the epoch.",
                    value=status.last_sealed / MILLISECONDS,
                )
            )
        if status.archiver is not None:
            found.append(
                CounterMetricFamily(
                    "cave_archive_failures",
                    "Rounds of the archiver that failed, since its process began.",
                    value=status.archiver.failures,
                )
            )
        return found


def _by_tier(name: str, documentation: str, **tiers: int) -> Metric:
    gauge = GaugeMetricFamily(name, documentation, labels=["tier"])
    for tier, value in tiers.items():
        gauge.add_metric([tier], value)
    return gauge
