"""The mapping of names and tags that is common to all protocols (`docs/protocols/README.md`).

It is written here a second time, so that a mistake in one of the two is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tests.clients.points import Point

MAX_VALUE = 1024
"""Maximum characters of a tag's value; a point with a longer one is refused."""


def metric_name(text: str) -> str:
    """Return a metric's name as it is stored."""
    return _led(re.sub(r"[^a-zA-Z0-9_:./-]", "_", text))


def tags(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return tags as they are stored."""
    return {
        _led(re.sub(r"[^a-zA-Z0-9_./-]", "_", name)): re.sub(
            r"[\x00-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", value
        )
        for name, value in pairs.items()
        if value
    }


def mapped(points: Iterable[Point]) -> list[Point]:
    """Return points as they are stored, without those that are refused."""
    return [
        point._replace(name=metric_name(point.name), tags=frozenset(tags(dict(point.tags)).items()))
        for point in points
        if not has_long_value(point)
    ]


def has_long_value(point: Point) -> bool:
    """Return whether a point is refused because a value of its tags is too long."""
    return any(len(value) > MAX_VALUE for _, value in point.tags)


def _led(name: str) -> str:
    return f"_{name}" if name[0].isdigit() else name
