"""The read model in memory. Skips: limits of time, memory and number; every call folds all events.

It computes with `statistics` and fractions, and serves as the reference for other read models.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby

from application.event_log.ports import (
    RecordedDescriptions,
    RecordedEvent,
    RecordedMetrics,
)
from application.projections.errors import ProjectionMissing
from application.projections.folds import PROJECTIONS, metric_metadata, metric_names
from application.projections.ports import Generation, LiveProgress, Role, Writer
from application.reading.ports import Aggregation, MetricName, PointRow, Sample, Selection
from domain.metric_description import MetricDescription


class MemoryReadModel:
    """Implements the reading ports and LiveGenerations over the events that were added.

    `generations` has the live generation of each projection that has been built, and `writer` is
    the process that writes them.
    """

    def __init__(self) -> None:
        self._events: dict[str | None, list[RecordedEvent]] = {None: []}
        self.writers: tuple[Writer, ...] = ()
        self.generations = {
            projection.name: Generation(
                projection=projection.name, number=1, version=projection.version, role=Role.LIVE
            )
            for projection in PROJECTIONS
        }

    def add(self, *events: RecordedEvent, label: str | None = None) -> None:
        """Add events to the live generations, or to the copy with the label."""
        self._events.setdefault(label, []).extend(events)

    def metric_names(self, organization: str, team: str | None) -> Sequence[MetricName]:
        tags: defaultdict[str, set[str]] = defaultdict(set)
        for row in metric_names(self._published(None)):
            if (row.organization, row.team) == (organization, team):
                tags[row.name] |= set() if row.tag is None else {row.tag}
        return [MetricName(name, sorted(tags[name])) for name in sorted(tags)]

    def descriptions(self, organization: str, team: str | None) -> Mapping[str, MetricDescription]:
        events = [e for e in self._events[None] if isinstance(e, RecordedDescriptions)]
        return {
            row.description.name: row.description
            for row in metric_metadata(sorted(events, key=lambda event: event.receipt))
            if (row.organization, row.team) == (organization, team)
        }

    def knows(self, organization: str, team: str | None, metric: str) -> bool:
        return any(metric == known.name for known in self.metric_names(organization, team))

    def samples(
        self,
        selection: Selection,
        aggregation: Aggregation | None,
        limit: int,
        *,
        label: str | None = None,
    ) -> Sequence[Sample]:
        rows = [
            row
            for row in self._rows(selection, label)
            if math.isfinite(row.value) and _has(row, selection.tags)
        ]
        if aggregation is None:
            return [Sample(row.time, row.value) for row in rows][-limit:]
        aggregate, period = AGGREGATES[aggregation.aggregator], aggregation.period
        return [
            Sample(bucket * period, as_float(aggregate([row.value for row in points])))
            for bucket, points in groupby(rows, lambda row: row.time // period)
        ][-limit:]

    def cached_samples(
        self, selection: Selection, aggregation: Aggregation | None, limit: int
    ) -> Sequence[Sample] | None:
        return self.samples(selection, aggregation, limit)

    def live(self, projection: str) -> LiveProgress | None:
        generation = self.generations.get(projection)
        if generation is None:
            return None
        return LiveProgress(generation, self.positions(projection), self.writers)

    def positions(self, projection: str) -> Mapping[int, int]:  # noqa: ARG002  all are as far
        return {
            event.receipt.partition: event.receipt.position
            for event in sorted(self._events[None], key=lambda event: event.receipt)
        }

    def rows(
        self,
        organization: str,
        team: str | None,
        *,
        metric: str | None = None,
        start: int | None = None,
        end: int | None = None,
        label: str | None = None,
    ) -> Iterator[Sequence[PointRow]]:
        for known in self.metric_names(organization, team):
            if metric in (None, known.name):
                selection = Selection(
                    organization=organization, team=team, metric=known.name, start=start, end=end
                )
                if rows := self._rows(selection, label):
                    yield rows

    def _published(self, label: str | None) -> list[RecordedMetrics]:
        return [event for event in self._events[label] if isinstance(event, RecordedMetrics)]

    def _rows(self, selection: Selection, label: str | None) -> list[PointRow]:
        """Return the points of a metric in the range, with any tags, in order."""
        if label not in self._events:
            raise ProjectionMissing(f"there is no copy {label!r}")
        # As in the stores, minus zero is zero. Adding zero would change the bits of a NaN.
        rows = [
            PointRow(
                point.name, point.timestamp, point.value or 0.0, point.tags, recorded.receipt, item
            )
            for recorded in self._published(label)
            if recorded.event.organization == selection.organization
            and recorded.event.team == selection.team
            for item, point in enumerate(recorded.event.points.points())
            if point.name == selection.metric
            and (selection.start is None or selection.start <= point.timestamp)
            and (selection.end is None or point.timestamp < selection.end)
        ]
        return sorted(rows, key=lambda row: (row.time, row.receipt, row.item))


def _has(row: PointRow, tags: Mapping[str, str]) -> bool:
    return tags.items() <= row.tags.items()


def as_float(exact: Fraction | float) -> float:
    try:
        return float(exact) + 0.0
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _sum(values: Sequence[float]) -> Fraction:
    return sum(map(Fraction, values), Fraction())


def _median(values: Sequence[float]) -> Fraction:
    return statistics.median(map(Fraction, values))


def _stddev(values: Sequence[float]) -> float:
    try:
        return statistics.stdev(values) if len(values) > 1 else 0.0
    except OverflowError:
        return math.inf


def _nearest_rank(permille: int) -> Callable[[Sequence[float]], float]:
    return lambda values: sorted(values)[math.ceil(Fraction(permille, 1000) * len(values)) - 1]


AGGREGATES: dict[str, Callable[[Sequence[float]], Fraction | float]] = {
    "count": len,
    "min": min,
    "max": max,
    "mean": lambda values: _sum(values) / len(values),
    "mode": lambda values: min(statistics.multimode(values)),
    "median": _median,
    "sum": _sum,
    "stddev": _stddev,
    "p90": _nearest_rank(900),
    "p95": _nearest_rank(950),
    "p99": _nearest_rank(990),
    "p999": _nearest_rank(999),
}
