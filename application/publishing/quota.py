"""Quotas: token buckets that limit the points per second of organizations."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from domain.errors import QuotaExceeded
from domain.limits import Rate

CHUNK_SECONDS = 0.25
"""A worker takes the points of so many seconds at once, so that it asks a few times per second."""

CLOCK_ERROR = 1e-6
"""Seconds that the clock's rounding may take from a wait."""


class Taken(Struct, frozen=True):
    """What a bucket gave: `ahead` points beside those asked for, if `wait` is 0.

    Else nothing: it is empty for so many seconds more.
    """

    ahead: float
    wait: float = 0.0


class QuotaBuckets(Protocol):
    """A token bucket per organization, which all workers on a log share.

    A bucket fills with the rate, up to the burst; one that was never used is full.
    """

    async def take(self, organization: str, points: float, ahead: float, rate: Rate) -> Taken:
        """Take points if the bucket is not empty, which may overdraw it.

        Then take up to `ahead` points more, which does not overdraw it. Raises LogUnavailable.
        """


class PointQuota:
    """Admits each organization's rate, over all workers and hosts. For one event loop.

    `rates` returns an organization's rate, None for no limit. A batch larger than a burst only
    delays later ones, instead of being refused for ever. A worker holds a few points that it took
    in advance, so the bucket is asked for few of the batches.
    """

    def __init__(
        self,
        buckets: QuotaBuckets,
        rates: Callable[[str], Rate | None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._buckets = buckets
        self._rates = rates
        self._monotonic = monotonic
        self._held: defaultdict[str, float] = defaultdict(float)
        self._empty: dict[str, tuple[float, float]] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def rate(self, organization: str) -> Rate | None:
        """Return the organization's rate, None if it has no limit."""
        return self._rates(organization)

    async def charge(self, organization: str, points: int, rate: Rate) -> None:
        """Take `points` from what is held, or else from the organization's bucket.

        Raises QuotaExceeded, LogUnavailable; nothing was taken then.
        """
        if self._spent(organization, points):
            return
        async with self._asking[organization]:
            if self._spent(organization, points):
                return
            self._check_not_empty(organization, rate)
            asked = points - self._held[organization]
            ahead = rate.points_per_second * CHUNK_SECONDS
            taken = await self._buckets.take(organization, asked, ahead, rate)
            if taken.wait:
                now = self._monotonic()
                ask_again = now + min(taken.wait, CHUNK_SECONDS)
                self._empty[organization] = ask_again, now + taken.wait
                self._check_not_empty(organization, rate)
            self._held[organization] += asked + taken.ahead - points

    def give_back(self, organization: str, points: int) -> None:
        """Refund the charge for points that were not stored."""
        self._held[organization] += points

    def _spent(self, organization: str, points: int) -> bool:
        if self._held[organization] < points:
            return False
        self._held[organization] -= points
        return True

    def _check_not_empty(self, organization: str, rate: Rate) -> None:
        """Raise QuotaExceeded if the bucket was empty a moment ago."""
        asked_until, empty_until = self._empty.get(organization, (0.0, 0.0))
        now = self._monotonic()
        if now >= asked_until:
            return
        raise QuotaExceeded(
            f"organization {organization!r} is over its quota of "
            f"{rate.points_per_second:g} points/s",
            retry_after=math.floor(empty_until - now + CLOCK_ERROR) + 1,
        )
