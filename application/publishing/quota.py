"""Quotas: a token bucket that limits the points per second of an organization."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from domain.errors import QuotaExceeded

BURST_SECONDS = 10
"""A burst may have the points of this many seconds, after as many seconds without any."""

CLOCK_ERROR = 1e-6
"""Seconds that the clock's rounding may take from a wait."""


class PointQuota:
    """Admits `rate` points per second per organization.

    A batch is admitted if the bucket is not empty, and may overdraw it. So a batch larger than a
    burst only delays later ones, instead of being refused for ever.
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = rate * BURST_SECONDS
        self._monotonic = monotonic
        self._levels: dict[str, tuple[float, float]] = {}

    def charge(self, organization: str, points: int) -> None:
        """Take `points` from the organization's bucket.

        Raises QuotaExceeded; nothing was taken then.
        """
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
        """Refund the charge for points that were not stored."""
        level, since = self._levels[organization]
        self._levels[organization] = (level + points, since)
