"""What a metric says of itself, as a description (data model, "Metric points")."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from domain.memo import Memo
from domain.metric_description import (
    MetricDescription,
    MetricType,
    Temporality,
    description_of,
)

_TYPES = {
    "gauge": MetricType.GAUGE,
    "sum": MetricType.COUNTER,
    "histogram": MetricType.HISTOGRAM,
    "exponential_histogram": MetricType.EXPONENTIAL_HISTOGRAM,
    "summary": MetricType.SUMMARY,
}
_TEMPORALITIES = {1: Temporality.DELTA, 2: Temporality.CUMULATIVE}


class Described(Struct, frozen=True, gc=False):
    """The fields of a metric that describe it. `kind` is the field of its data."""

    name: str
    kind: str
    unit: str
    text: str
    temporality: int
    monotonic: bool


def described(metric: Any, kind: str) -> Described:
    """Return the fields of a Metric message."""
    data = getattr(metric, kind)
    temporality = 0 if kind in ("gauge", "summary") else data.aggregation_temporality
    monotonic = kind == "sum" and data.is_monotonic
    return Described(metric.name, kind, metric.unit, metric.description, temporality, monotonic)


def _description(sent: Described) -> MetricDescription | None:
    try:
        name = mapped_metric_name(sent.name)
    except Unmappable:  # the points are refused for it
        return None
    # A sum that may fall is a gauge to others (compatibility, "Sums").
    falls = sent.kind == "sum" and not sent.monotonic
    return description_of(
        name,
        MetricType.GAUGE if falls else _TYPES[sent.kind],
        sent.unit,
        sent.text,
        _TEMPORALITIES.get(sent.temporality, Temporality.UNSPECIFIED),
    )


class Descriptions:
    """Makes descriptions. Keeps a bounded memo of them, since clients send them again and again."""

    def __init__(self) -> None:
        self._known: Memo[Described, MetricDescription | None] = Memo(_description, _size)

    def add(self, found: dict[str, MetricDescription], sent: Described) -> None:
        """Add a description to those of a body, unless the name is invalid. The last one counts."""
        if description := self._known[sent]:
            found[description.name] = description


def _size(sent: Described, description: MetricDescription | None) -> int:
    size = len(sent.name) + len(sent.unit) + len(sent.text)
    return size + description.size() if description else size
