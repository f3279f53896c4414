"""The points of the benchmark as events, without the service."""

from __future__ import annotations

from array import array

from domain.events import MetricsPublished
from domain.metric_point import PointBatch, tag_set
from tests.benchmarks.points import points


def event(first: int, size: int) -> MetricsPublished:
    """Return `size` points from the one with number `first` on as an event."""
    found = list(points(first, size))
    tag_sets = [tag_set(point.tags) for point in found]
    return MetricsPublished(
        organization="bench",
        team=None,
        token_id="7c4b9d2e1f30",
        points=PointBatch(
            [point.name for point in found],
            array("q", [point.second * 1000 for point in found]),
            array("d", [float(point.value) for point in found]),
            [tags for tags in tag_sets if tags is not None],
            known_finite=True,
        ),
    )
