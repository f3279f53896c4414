"""Descriptions of metrics (2.0, "Metadata"; `prometheus.MetricMetadata`, which 1.0 reserves).

A description that is invalid is left out: it never costs anybody their points.
"""

from __future__ import annotations

from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from domain.metric_description import PARTS, MetricDescription, MetricType, description_of

_TYPES = (
    MetricType.UNKNOWN,
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.HISTOGRAM,
    MetricType.GAUGE_HISTOGRAM,
    MetricType.SUMMARY,
    MetricType.INFO,
    MetricType.STATE_SET,
)
"""The types by their numbers, which both versions share."""


def type_of(number: int) -> MetricType:
    """Return the type with a number, UNKNOWN for one that is not known."""
    return _TYPES[number] if 0 <= number < len(_TYPES) else MetricType.UNKNOWN


def family_of(name: str, kind: MetricType) -> str:
    """Return the name of the metric that a series with samples is a part of."""
    for suffix in PARTS.get(kind, ()):
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def description(name: str, kind: MetricType, unit: bytes, text: bytes) -> MetricDescription | None:
    """Return a description, None if the name is not possible or nothing is said."""
    if kind is MetricType.UNKNOWN and not unit and not text:
        return None
    try:
        valid = mapped_metric_name(name)
    except Unmappable:
        return None
    return description_of(
        valid, kind, unit.decode("utf-8", "replace"), text.decode("utf-8", "replace")
    )
