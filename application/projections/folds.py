"""The projections, each a pure function from events to rows.

A projection's `version` covers its rows as they are stored. Increase it whenever the fold returns
different rows for the same events, and whenever a store changes how it stores them (columns,
types, encodings or order) unless it still reads and writes generations that have them as before. A
live generation of another version is stopped and has to be rebuilt. One version covers both,
because either change needs the same rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from application.event_log.ports import RecordedDescriptions, RecordedMetrics
from application.event_log.receipts import Receipt
from domain.columns import coded
from domain.events import MetricEvent, MetricsDescribed, MetricsPublished
from domain.memo import Memo
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet


class MetricNameRow(Struct, frozen=True):
    """An owner's metric name with one of its tag names, or with None for the name itself.

    `receipt` is that of the first event with this name and tag name.
    """

    organization: str
    team: str | None
    name: str
    tag: str | None
    receipt: Receipt


class MetricDescriptionRow(Struct, frozen=True):
    """A description of an owner's metric, and the receipt of the event that brought it.

    The description of a metric is that of its last event. The earlier ones stay, so that the rows
    of events up to a position are the same whatever came later: `cave verify` compares them.
    """

    organization: str
    team: str | None
    description: MetricDescription
    receipt: Receipt


PointRows = Sequence[RecordedMetrics]
"""Rows of `points`, one per point: the organization, team and receipt of its batch, its index in
the batch (`item`, from 0), name, tags, time and value. Kept in columns, because there are many."""

Rows = PointRows | Sequence[MetricNameRow] | Sequence[MetricDescriptionRow]


class Projection(Struct, frozen=True):
    """A name, a version of the rows as stored, and the fold from new events to new rows.

    The fold receives the events of each partition in log order, those of the type `event`. Events
    of other types only move its positions on.
    """

    name: str
    version: int
    fold: Callable[[Sequence[Any]], Rows]
    event: type[MetricEvent] = MetricsPublished


def points(events: Sequence[RecordedMetrics]) -> PointRows:
    """Return every point of the events, unchanged."""
    return events


def metric_names(events: Sequence[RecordedMetrics]) -> Sequence[MetricNameRow]:
    """Return each name and tag name once, with the receipt of the first of these events with it.

    The result includes names that earlier events had; a store keeps the earliest row of each.
    """
    seen: dict[tuple[str, str | None, str, str | None], Receipt] = {}
    columns_seen: set[tuple[str, str | None, int, int]] = set()
    for recorded in events:
        event = recorded.event
        # Events of single points share the columns of those before. None is freed meanwhile, so
        # no two have the same id.
        columns = event.organization, event.team, id(event.points.names), id(event.points.tag_sets)
        if columns in columns_seen:
            continue
        columns_seen.add(columns)
        for name, tag in _names_and_tags(event.points):
            seen.setdefault((event.organization, event.team, name, tag), recorded.receipt)
    return [MetricNameRow(*key, receipt) for key, receipt in seen.items()]


def metric_metadata(events: Sequence[RecordedDescriptions]) -> Sequence[MetricDescriptionRow]:
    """Return every description of the events; of those of a name in one event, the last."""
    return [
        MetricDescriptionRow(
            recorded.event.organization, recorded.event.team, description, recorded.receipt
        )
        for recorded in events
        for description in {d.name: d for d in recorded.event.descriptions}.values()
    ]


def _names_and_tags(points: PointBatch) -> Iterator[tuple[str, str | None]]:
    """Yield each name with None, then with each of its tag names; may yield duplicates."""
    names, tag_sets = coded(points.names), coded(points.tag_sets)
    for name in names.table:
        yield name, None
    # There are far fewer distinct tag sets than points, and still fewer sets of tag names.
    kinds = coded([_tag_names[tags] for tags in tag_sets.table])
    kind_codes = map(kinds.codes.__getitem__, tag_sets.codes)
    for name_code, kind in dict.fromkeys(zip(names.codes, kind_codes, strict=True)):
        for tag in kinds.table[kind]:
            yield names.table[name_code], tag


def _names_of(tags: TagSet) -> tuple[str, ...]:
    return tuple(name for name, _ in tags.pairs)


_tag_names = Memo(_names_of, lambda tags, _: tags.size())


POINTS = Projection("points", 1, points)
METRIC_NAMES = Projection("metric_names", 1, metric_names)
METRIC_METADATA = Projection("metric_metadata", 1, metric_metadata, MetricsDescribed)
PROJECTIONS = (POINTS, METRIC_NAMES, METRIC_METADATA)
