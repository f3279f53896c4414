"""The projections: what each makes of the events, as pure functions.

A projection's `version` covers its rows as they are stored: it goes up whenever the fold makes
other rows of the same events, and whenever a store keeps the same rows in another way (other
columns, types, encodings or order). A live generation of another version is stopped and has to be
rebuilt. There is one version for both, because either change needs the same rebuild.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from application.event_log.ports import RecordedMetrics
from application.event_log.receipts import Receipt
from domain.columns import coded
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet


class MetricNameRow(Struct, frozen=True):
    """An owner's metric name with one of its tag names, or with None for the name itself.

    `receipt` is that of the first event that has it.
    """

    organization: str
    team: str | None
    name: str
    tag: str | None
    receipt: Receipt


PointRows = Sequence[RecordedMetrics]
"""Rows of `points`, one per point: its batch's organization, team and receipt, its place in it
(`item`, from 0), name, tags, time and value. Left in columns, since there are many."""

Rows = PointRows | Sequence[MetricNameRow]


class Projection(Struct, frozen=True):
    """A name, a version of the rows as stored, and the fold from some events to new rows.

    The fold gets the events of each partition in log order.
    """

    name: str
    version: int
    fold: Callable[[Sequence[RecordedMetrics]], Rows]


def points(events: Sequence[RecordedMetrics]) -> PointRows:
    """Every point counts: the rows are the points of the events as they are."""
    return events


def metric_names(events: Sequence[RecordedMetrics]) -> Sequence[MetricNameRow]:
    """Return each name and tag name once, with the first of these events that has it.

    Names that earlier events had are among them; a store keeps the first.
    """
    seen: dict[tuple[str, str | None, str, str | None], Receipt] = {}
    for recorded in events:
        event = recorded.event
        for name, tag in _names_and_tags(event.points):
            seen.setdefault((event.organization, event.team, name, tag), recorded.receipt)
    return [MetricNameRow(*key, receipt) for key, receipt in seen.items()]


def _names_and_tags(points: PointBatch) -> Iterator[tuple[str, str | None]]:
    """Yield each name with None, then with each of its tag names; may repeat itself."""
    names, tag_sets = coded(points.names), coded(points.tag_sets)
    for name in names.table:
        yield name, None
    # Points are many, their tag sets fewer, and the tag names of those few: by these.
    kinds = coded([_tag_names[tags] for tags in tag_sets.table])
    kind_codes = map(kinds.codes.__getitem__, tag_sets.codes)
    for name_code, kind in dict.fromkeys(zip(names.codes, kind_codes, strict=True)):
        for tag in kinds.table[kind]:
            yield names.table[name_code], tag


def _names_of(tags: TagSet) -> tuple[str, ...]:
    return tuple(name for name, _ in tags.pairs)


_tag_names = Memo(_names_of, TagSet.size)


POINTS = Projection("points", 1, points)
METRIC_NAMES = Projection("metric_names", 1, metric_names)
PROJECTIONS = (POINTS, METRIC_NAMES)
