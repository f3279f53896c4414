"""Quotas: how many points a second an organization may publish, as a token bucket."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from domain.errors import QuotaExceeded

BURST_SECONDS = 10
"""An organization that was silent for this long may send as much at once."""

CLOCK_ERROR = 1e-6
"""Seconds that the clock's rounding may take from a wait."""


class PointQuota:
    """Admits `rate` points a second for each organization.

    A batch is admitted while the bucket is not empty and may overdraw it, so that one batch
    larger than a burst is slowed down rather than refused for ever.
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = rate * BURST_SECONDS
        self._monotonic = monotonic
        self._levels: dict[str, tuple[float, float]] = {}

    def charge(self, organization: str, points: int) -> None:
        """Take `points` off the organization's bucket. Raises QuotaExceeded, taking nothing."""
        now = self._monotonic()
        level, since = self._levels.get(organization, (self._burst, now))
        level = min(self._burst, level + (now - since) * self._rate)
        if level <= 0:
            raise QuotaExceeded(
                f"organization {organization!r} is over its quota of {self._rate:g} points/s",
                retry_after=math.floor(-level / self._rate + CLOCK_ERROR) + 1,
            )
        self._levels[organization] = (level - points, now)

    def give_back(self, organization: str, points: int) -> None:
        """Return what was charged for points that were not stored after all."""
        level, since = self._levels[organization]
        self._levels[organization] = (level + points, since)
