"""Durations as people write them: `90d`, `12h`, `30s`."""

from __future__ import annotations

import re
from datetime import timedelta

from domain.errors import InvalidArgument
from domain.names import abbreviated

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

_duration = re.compile(rf"(\d{{1,12}})([{''.join(UNITS)}])\Z", re.ASCII).match


def parse_duration(text: str) -> timedelta:
    """Read a whole number with a unit: s, m, h, d or w. Raises InvalidArgument."""
    match = _duration(text)
    if match is None:
        raise InvalidArgument(
            f"{abbreviated(text)} is not a duration: a whole number and a unit "
            "(s, m, h, d or w), as in 90d"
        )
    number, unit = match.groups()
    try:
        return timedelta(**{UNITS[unit]: int(number)})
    except OverflowError:
        raise InvalidArgument(f"{abbreviated(text)} is too long a duration") from None
