"""Prometheus metrics of the projections' state and lag."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from application.projections.folds import PROJECTIONS
from application.projections.status import ProjectionStatus, State

UNKNOWN = "unknown"
"""The state of a projection whose state is not available at the moment."""


class ProjectionMetrics(Collector):
    """The projections' state and lag. Every worker has the same values, so they are not summed."""

    def __init__(self, statuses: Sequence[ProjectionStatus] | None) -> None:
        self._statuses = statuses

    def collect(self) -> Iterable[Metric]:
        state = GaugeMetricFamily(
            "cave_projection_state",
            "1 for the current state of a projection (live, standby, stopped, missing or unknown), "
            "else 0.",
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
