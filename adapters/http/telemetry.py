"""Prometheus metrics of the HTTP service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    generate_latest,
    values,
)

from adapters.http.durations import Durations
from adapters.http.idempotency_metrics import IdempotencyMetrics
from adapters.http.log_metrics import LogMetrics
from adapters.http.projection_metrics import ProjectionMetrics
from adapters.http.shared_metrics import SharedMetrics
from application.archiving.status import LogStatus
from application.projections.status import ProjectionStatus
from application.publishing.ports import IdempotencyRecords
from application.publishing.refusals import Refusals

# Ignores PROMETHEUS_MULTIPROC_DIR, which may be set for other programs.
values.ValueClass = values.MutexValue

_exposed = REGISTRY

_requests = Counter(
    "cave_http_requests",
    "Requests answered, by operation (`unrouted` for an unknown path or method) and status.",
    ["operation", "status"],
)
_points = Counter("cave_points_accepted", "Points that were stored and acknowledged.")
_refused = Counter(
    "cave_points_refused",
    "Points that were refused one by one, while the rest of their body was stored.",
    ["protocol", "reason"],
)
_bytes = Counter("cave_publish_body_bytes", "Bytes of publish bodies as sent, before inflation.")
_seconds = Durations(
    "cave_publish_seconds",
    "Seconds from a publish request's headers to its answer, the write to the log included.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    REGISTRY,
)


@cache
def _requests_of(operation: str, status: int) -> Counter:
    """Return the counter of an operation and status: finding labels costs more than counting."""
    return _requests.labels(operation, status)


def record_refused(protocol: str, refused: Refusals) -> None:
    """Count the points of a body that were refused."""
    for reason, points in refused.counts.items():
        _refused.labels(protocol, reason.value).inc(points)


def record_publish(status: int, points: int, body_bytes: int, seconds: float) -> None:
    """Count one answered publish; `points` is how many were stored."""
    _requests_of("publish", status).inc()
    _seconds.observe(seconds)
    if body_bytes:
        _bytes.inc(body_bytes)
    if points:
        _points.inc(points)


def record_accepted(requests: int, points: int, body_bytes: int, seconds: float) -> None:
    """Count publishes that were stored together; all numbers but the seconds are sums."""
    if requests:
        _requests_of("publish", 202).inc(requests)
        _seconds.observe(seconds, requests)
        _bytes.inc(body_bytes)
        _points.inc(points)


def record_request(operation: str, status: int) -> None:
    """Count one answered request of any other operation."""
    _requests_of(operation, status).inc()


def exposition(
    projections: Sequence[ProjectionStatus] | None,
    log: LogStatus | None,
    keys: IdempotencyRecords,
) -> bytes:
    """Return all metrics as Prometheus text. Reads files if there are several workers.

    `projections` is None if their state is unknown; their lag is then left out, and so are the
    log's metrics if its state is.
    """
    looked_at = CollectorRegistry()
    looked_at.register(ProjectionMetrics(projections))
    looked_at.register(IdempotencyMetrics(keys))
    if log is not None:
        looked_at.register(LogMetrics(log))
    return generate_latest(_exposed) + generate_latest(looked_at)


@contextmanager
def shared_with_workers(directory: Path) -> Iterator[None]:
    """Within the block, let `exposition` return sums over all workers that share `directory`."""
    global _exposed
    shared = SharedMetrics(REGISTRY, directory)
    _exposed = CollectorRegistry(auto_describe=False)
    _exposed.register(shared)
    try:
        with shared.updated():
            yield
    finally:
        _exposed = REGISTRY
