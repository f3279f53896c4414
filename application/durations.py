"""Durations as people write them: `90d`, `12h`, `30s`."""

from __future__ import annotations

import re
from datetime import timedelta

from domain.names import abbreviated

UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}

_duration = re.compile(rf"(\d{{1,12}})([{''.join(UNITS)}])\Z", re.ASCII).match


def parse_duration(text: str) -> timedelta:
    """Read a whole number with a unit: s, m, h, d or w.

    Raises ValueError. Its message, "must be …, is …", is meant to follow the value's name.
    """
    match = _duration(text)
    if match is None:
        raise ValueError(
            "must be a duration, a whole number and a unit (s, m, h, d or w) as in 90d, "
            f"is {abbreviated(text)}"
        )
    number, unit = match.groups()
    try:
        return int(number) * UNITS[unit]
    except OverflowError:
        raise ValueError(f"is too long a duration: {abbreviated(text)}") from None
