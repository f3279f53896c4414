"""Token buckets in memory. Skips: sharing them with other processes."""

from __future__ import annotations

import time
from collections.abc import Callable

from application.publishing.quota import Taken
from domain.limits import Rate


class MemoryQuotaBuckets:
    """Implements the port QuotaBuckets."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._levels: dict[str, tuple[float, float]] = {}

    async def take(self, organization: str, points: float, ahead: float, rate: Rate) -> Taken:
        now = self._monotonic()
        level, since = self._levels.get(organization, (rate.burst, now))
        level = min(rate.burst, level + (now - since) * rate.points_per_second)
        if level <= 0:
            return Taken(0.0, max(-level / rate.points_per_second, 1e-6))
        more = min(max(level - points, 0.0), ahead)
        self._levels[organization] = (level - points - more, now)
        return Taken(more)
