"""Descriptions of metrics: what a protocol says of a metric besides its points.

Agents send them again and again, and take them from programs that anyone may have written. So a
text is made to fit instead of being refused: a description never costs anybody their points.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from domain.names import metric_name_fault

MAX_UNIT_LENGTH = 63
"""Maximum characters of a unit; OpenTelemetry's limit."""

MAX_HELP_LENGTH = 1024
"""Maximum characters of a help text; OpenTelemetry promises that 1023 are kept."""

ELLIPSIS = "…"
"""The last character of a text that was cut."""

_not_text = re.compile("[\x00-\x1f\x7f-\x9f]+")
_surrogate = re.compile("[\ud800-\udfff]")


class MetricType(StrEnum):
    """The type of a metric, in the terms of OpenMetrics and OpenTelemetry."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    GAUGE_HISTOGRAM = "gaugehistogram"
    EXPONENTIAL_HISTOGRAM = "exponential_histogram"
    SUMMARY = "summary"
    INFO = "info"
    STATE_SET = "stateset"
    UNKNOWN = "unknown"


class Temporality(StrEnum):
    """Whether a value counts since a fixed start, or since the point before it."""

    CUMULATIVE = "cumulative"
    DELTA = "delta"
    UNSPECIFIED = ""


class MetricDescription(Struct, frozen=True):
    """A metric's type, unit, help text and temporality; what is not known is `unknown` or empty.

    Valid by construction: make one with `description_of`.
    """

    name: str
    type: MetricType = MetricType.UNKNOWN
    unit: str = ""
    help: str = ""
    temporality: Temporality = Temporality.UNSPECIFIED

    def size(self) -> int:
        """Return the characters of its texts."""
        return len(self.name) + len(self.unit) + len(self.help)


def description_of(
    name: str,
    type: str = MetricType.UNKNOWN,  # noqa: A002  the field's name
    unit: str = "",
    help: str = "",  # noqa: A002  the field's name
    temporality: str = Temporality.UNSPECIFIED,
) -> MetricDescription | None:
    """Make a description from what a client sent, or return None if the name is invalid.

    Control characters, such as line breaks, become one blank, and texts that are too long are cut.
    A type or temporality of another name counts as not known.
    """
    if metric_name_fault(name):
        return None
    return MetricDescription(
        name,
        _types.get(type, MetricType.UNKNOWN),
        _fitted(unit, MAX_UNIT_LENGTH),
        _fitted(help, MAX_HELP_LENGTH),
        _temporalities.get(temporality, Temporality.UNSPECIFIED),
    )


def descriptions_fault(descriptions: Iterable[MetricDescription]) -> str | None:
    """Return what is wrong with descriptions that `description_of` did not make, or None."""
    for description in descriptions:
        if fault := metric_name_fault(description.name):
            return f"a name {fault}"
        if description.unit != _fitted(description.unit, MAX_UNIT_LENGTH):
            return f"the unit of {description.name} is invalid"
        if description.help != _fitted(description.help, MAX_HELP_LENGTH):
            return f"the help text of {description.name} is invalid"
    return None


PARTS: Mapping[MetricType, tuple[str, ...]] = {
    MetricType.HISTOGRAM: ("_bucket", "_count", "_sum"),
    MetricType.EXPONENTIAL_HISTOGRAM: ("_bucket", "_count", "_sum"),
    MetricType.GAUGE_HISTOGRAM: ("_bucket", "_gcount", "_gsum"),
    MetricType.SUMMARY: ("_count", "_sum"),
}
"""The ends of the names under which the points of such a metric are stored."""

_ENDS = {**PARTS, MetricType.COUNTER: ("_total",), MetricType.INFO: ("_info",)}
"""OpenMetrics describes counters and infos without these ends."""


def description_for(
    name: str, descriptions: Mapping[str, MetricDescription]
) -> MetricDescription | None:
    """Return the description of the points with a name, None if there is none.

    It is that of the name, or of the metric that they are a part of, as `latency_bucket` is of the
    histogram `latency`.
    """
    if (found := descriptions.get(name)) is not None:
        return found
    whole, _, end = name.rpartition("_")
    found = descriptions.get(whole)
    return found if found is not None and f"_{end}" in _ENDS.get(found.type, ()) else None


_types: dict[str, MetricType] = {kind.value: kind for kind in MetricType}
_temporalities: dict[str, Temporality] = {each.value: each for each in Temporality}


def _fitted(text: str, length: int) -> str:
    """Return a text without control characters and lone surrogates, and cut to a length."""
    if not text.isprintable():  # agents send thousands, nearly all of them fine
        text = _surrogate.sub("\ufffd", _not_text.sub(" ", text))
    text = text.strip()
    if len(text) <= length:
        return text
    return text[: length - 1].rstrip() + ELLIPSIS
