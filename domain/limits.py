"""Limits of an organization's own."""

from __future__ import annotations

import math

from msgspec import Struct

from domain.errors import InvalidArgument

BURST_SECONDS = 10
"""A burst has the points of so many seconds, unless the organization has one of its own."""

MAX_RATE = 1e12
"""Points per second, far beyond what can be published."""

MAX_SERIES = 100_000_000
"""Active series of an organization, far beyond what can be counted in the log server's memory."""


class OrganizationLimits(Struct, frozen=True, kw_only=True):
    """What an organization may publish; None where the service's default counts.

    `points_per_second` is the long-term rate, and `burst` how many points may come at once after a
    silence. `series` is how many distinct series may be active, those of its teams included.
    """

    points_per_second: float | None = None
    burst: int | None = None
    series: int | None = None


class Rate(Struct, frozen=True):
    """A rate in points per second, and a burst in points."""

    points_per_second: float
    burst: float


def rate_of(limits: OrganizationLimits, default: float | None) -> Rate | None:
    """Return the rate that counts, None for no limit; `default` is in points per second."""
    points = limits.points_per_second or default
    if points is None:
        return None
    return Rate(points, limits.burst or points * BURST_SECONDS)


def check_limits(limits: OrganizationLimits) -> None:
    """Raise InvalidArgument for numbers that are no limits."""
    rate, burst, series = limits.points_per_second, limits.burst, limits.series
    if rate is not None and not (math.isfinite(rate) and 0 < rate <= MAX_RATE):
        raise InvalidArgument(
            f"points per second must be more than 0 and at most {MAX_RATE:g}, is {rate:g}",
            "points_per_second",
        )
    if burst is not None and not 0 < burst <= MAX_RATE:
        raise InvalidArgument(f"a burst must have 1 to {MAX_RATE:g} points, has {burst}", "burst")
    if series is not None and not 0 < series <= MAX_SERIES:
        raise InvalidArgument(
            f"a limit must be of 1 to {MAX_SERIES:,} series, is {series:,}", "series"
        )
