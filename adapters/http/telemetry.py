"""What the HTTP side tells Prometheus about itself.

With PROMETHEUS_MULTIPROC_DIR set, the values of all workers of the directory are one; it has to
be set before this module is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    Metric,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from application.projections.folds import PROJECTIONS
from application.projections.status import ProjectionStatus, State

MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
UNKNOWN = "unknown"
"""The state of a projection whose state cannot be found out now."""

_requests = Counter(
    "cave_http_requests",
    "Requests answered, by operation (`unrouted` for a path or method there is not) and status.",
    ["operation", "status"],
)
_points = Counter("cave_points_accepted", "Points of batches that were acknowledged with a 202.")
_bytes = Counter("cave_publish_body_bytes", "Bytes of publish bodies as sent, before inflation.")
_seconds = Histogram(
    "cave_publish_seconds",
    "Seconds from a publish request's headers to its answer, the write to the log included.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)


class _PublishCounters(dict[int, Counter]):
    """The counters of publish by status, bound once: looking up labels costs more than counting."""

    def __missing__(self, status: int) -> Counter:
        counter = self[status] = _requests.labels("publish", status)
        return counter


_publish_requests = _PublishCounters()


def record_publish(status: int, points: int, body_bytes: int, seconds: float) -> None:
    """Count one answered publish; `points` are those of the batch, accepted or not."""
    _publish_requests[status].inc()
    _seconds.observe(seconds)
    if body_bytes:
        _bytes.inc(body_bytes)
    if status == 202 and points:
        _points.inc(points)


def record_request(operation: str, status: int) -> None:
    """Count one answered request of any other operation."""
    _requests.labels(operation, status).inc()


def exposition(projections: Sequence[ProjectionStatus] | None) -> bytes:
    """Return all metrics as Prometheus text. Reads files where there are several workers.

    `projections` is None where their state is unknown: they then have no lag.
    """
    of_projections = CollectorRegistry()
    of_projections.register(_Projections(projections))
    if MULTIPROCESS_DIRECTORY not in os.environ:
        return generate_latest(REGISTRY) + generate_latest(of_projections)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry) + generate_latest(of_projections)


class _Projections(Collector):
    """The projections' state and lag. Every worker knows them, so they are not added up."""

    def __init__(self, statuses: Sequence[ProjectionStatus] | None) -> None:
        self._statuses = statuses

    def collect(self) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "cave_projection_state",
            "1 for the state that a projection is in: live, stopped, missing or unknown, else 0.",
            labels=["projection", "state"],
        )
        events = GaugeMetricFamily(
            "cave_projection_lag_events",
            "Events of the log that a projection has not read.",
            labels=["projection"],
        )
        seconds = GaugeMetricFamily(
            "cave_projection_lag_seconds",
            "Seconds since the oldest event that a projection has not read was recorded.",
            labels=["projection"],
        )
        states = dict.fromkeys((projection.name for projection in PROJECTIONS), UNKNOWN)
        for status in self._statuses or ():
            name = status.now.projection
            states[name] = status.now.state
            events.add_metric([name], status.lag_events)
            seconds.add_metric([name], status.lag_seconds)
        for name, current in states.items():
            for each in (*State, UNKNOWN):
                state.add_metric([name, each], float(each == current))
        return [state, events, seconds]
