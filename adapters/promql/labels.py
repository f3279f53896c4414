"""Labels of series: a dict whose names are sorted, and which has no empty values."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TypeAlias

from adapters.promql.syntax.quoting import label_name, quoted
from application.reading.series import NAME

Labels: TypeAlias = Mapping[str, str]

BUCKET = "le"
"""The label with the upper bound of a histogram's bucket."""


def without_name(labels: Labels) -> Labels:
    """Return the labels without the metric's name."""
    return {name: value for name, value in labels.items() if name != NAME}


def kept(labels: Labels, names: Collection[str]) -> Labels:
    """Return only the labels with these names."""
    return {name: value for name, value in labels.items() if name in names}


def dropped(labels: Labels, names: Collection[str]) -> Labels:
    """Return only the labels without these names."""
    return {name: value for name, value in labels.items() if name not in names}


def changed(labels: Labels, changes: Labels) -> Labels:
    """Return the labels with other values for some; an empty value removes a label."""
    merged = {**labels, **changes}
    return {name: merged[name] for name in sorted(merged) if merged[name]}


def key(labels: Labels) -> tuple[tuple[str, str], ...]:
    """Return what is equal for equal labels, and sorts as Prometheus sorts labels."""
    return tuple(labels.items())


def natural_key(text: str) -> Sequence[tuple[int, int, str]]:
    """Return what sorts texts with whole numbers in them by the numbers' size."""
    return [
        (0, int(part), "") if part.isdigit() else (1, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", text)
    ]


def text(labels: Labels) -> str:
    """Return the labels as Prometheus writes them in messages: `{__name__="up", job="a"}`."""
    inner = ", ".join(f"{label_name(name)}={quoted(value)}" for name, value in labels.items())
    return f"{{{inner}}}"
