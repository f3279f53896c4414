"""Times and intervals, as Grafana derives them from a dashboard's range and a panel's width."""

from __future__ import annotations

import re

from msgspec import Struct

SCRAPE_INTERVAL = 15_000
"""The data source's setting, in ms; Grafana's default."""

MAX_POINTS = 11_000
"""Of a range query; longer ones get a larger step."""

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
_UNITS = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_UNITS |= {"w": 7 * DAY, "M": 30 * DAY, "y": 365 * DAY}
_STEPS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(n * SECOND for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * MINUTE for n in (1, 2, 5, 10, 15, 20, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 7, 30, 365)),
)

_duration = re.compile(r"(\d+)(ms|[smhdwMy])").findall
_relative = re.compile(r"now(?:([-+])(\d+)([smhdwMy]))?(?:/[smhdwMy])?\Z").match


class TimeRange(Struct, frozen=True):
    """What a dashboard shows, in ms since the epoch."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """Return its length in ms."""
        return self.end - self.start


def duration_of(text: str) -> int:
    """Return a duration such as `1m30s` in ms; a number alone is seconds."""
    text = text.removeprefix(">").removeprefix("=")
    if text.isdigit():
        return int(text) * SECOND
    parts = _duration(text)
    if not parts:
        raise ValueError(f"not a duration: {text!r}")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def time_of(text: str, now: int) -> int:
    """Return a time such as `now-6h` in ms; what it is rounded to, as in `now/d`, is ignored."""
    found = _relative(text)
    if found is None:
        raise ValueError(f"not a time relative to now: {text!r}")
    sign, number, unit = found.groups()
    away = int(number) * _UNITS[unit] if number else 0
    return now + away if sign == "+" else now - away


def step_of(shown: TimeRange, points: int, shortest: int) -> int:
    """Return the distance of `points` samples, rounded to a usual step and at least `shortest`."""
    exact = max(shown.length / points, shown.length / MAX_POINTS)
    rounded = next((step for step in _STEPS if step >= exact), _STEPS[-1])
    return max(rounded, shortest)


def rate_interval(step: int, scrape_interval: int = SCRAPE_INTERVAL) -> int:
    """Return `$__rate_interval`: at least four scrapes, so that there are two samples in it."""
    return max(step + scrape_interval, 4 * scrape_interval)


def short(milliseconds: int) -> str:
    """Return a duration in its largest unit, as `$__interval` is written."""
    for unit in ("d", "h", "m", "s"):
        if milliseconds >= _UNITS[unit]:
            return f"{milliseconds // _UNITS[unit]}{unit}"
    return f"{milliseconds}ms"


def long(milliseconds: int) -> str:
    """Return a duration in hours, minutes and seconds, as Go writes `$__rate_interval`."""
    seconds = milliseconds // SECOND
    hours, minutes = seconds // 3600, seconds // 60 % 60
    if hours:
        return f"{hours}h{minutes}m{seconds % 60}s"
    return f"{minutes}m{seconds % 60}s" if minutes else f"{seconds}s"
