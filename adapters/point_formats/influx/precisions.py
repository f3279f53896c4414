"""The units of timestamps, which a request names with the parameter `precision`.

Sources: InfluxDB 1.8 "InfluxDB API reference", `/write`; InfluxDB 2 API, `/api/v2/write`;
InfluxDB 3 API, `/api/v3/write_lp`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from domain.errors import InvalidArgument
from domain.names import abbreviated

ToMilliseconds = Callable[[int], int]
"""Converts a timestamp to milliseconds since the epoch, rounded down."""


def _nanoseconds(time: int) -> int:
    return time // 1_000_000


def _microseconds(time: int) -> int:
    return time // 1000


def _milliseconds(time: int) -> int:
    return time


def _seconds(time: int) -> int:
    return time * 1000


def _minutes(time: int) -> int:
    return time * 60_000


def _hours(time: int) -> int:
    return time * 3_600_000


def _guessed(time: int) -> int:
    """The unit of `auto`: seconds below 5e9, milliseconds below 5e12, microseconds below 5e15."""
    size = abs(time)
    if size < 5_000_000_000:
        return _seconds(time)
    if size < 5_000_000_000_000:
        return time
    return _microseconds(time) if size < 5_000_000_000_000_000 else _nanoseconds(time)


Precisions = Mapping[str, ToMilliseconds]
"""Units by name; the first is that of a request that names none."""

VERSION_1: Precisions = {
    "ns": _nanoseconds,
    "n": _nanoseconds,
    "u": _microseconds,
    "us": _microseconds,
    "µ": _microseconds,
    "ms": _milliseconds,
    "s": _seconds,
    "m": _minutes,
    "h": _hours,
}
VERSION_2: Precisions = {
    "ns": _nanoseconds,
    "us": _microseconds,
    "ms": _milliseconds,
    "s": _seconds,
}
VERSION_3: Precisions = {
    "auto": _guessed,
    "nanosecond": _nanoseconds,
    "microsecond": _microseconds,
    "millisecond": _milliseconds,
    "second": _seconds,
    **VERSION_2,
}


def precision_of(parameters: Mapping[str, str], precisions: Precisions) -> ToMilliseconds:
    """Return the conversion that a request's parameters ask for. Raises InvalidArgument."""
    name = parameters.get("precision") or next(iter(precisions))
    found = precisions.get(name)
    if found is None:
        allowed = ", ".join(precisions)
        raise InvalidArgument(
            f"invalid precision {abbreviated(name)}; use one of {allowed}", "precision"
        )
    return found
