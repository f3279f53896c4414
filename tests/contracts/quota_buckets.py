"""The contract of QuotaBuckets, for every adapter."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from application.publishing.quota import QuotaBuckets, Taken
from domain.limits import Rate

SLOW = Rate(0.001, 100.0)
"""It fills too slowly for a test to notice."""


class QuotaBucketsContract(ABC):
    """Subclass it as `Test…` and implement how buckets are opened, and how time passes."""

    @abstractmethod
    def open_buckets(self) -> AbstractContextManager[tuple[QuotaBuckets, Callable[[float], None]]]:
        """Open full buckets, with a function that lets so many seconds pass."""

    def test_a_full_bucket_has_a_burst(self) -> None:
        with self.open_buckets() as (buckets, _):
            assert asyncio.run(buckets.take("gilt", 60, 0, SLOW)) == Taken(0)
            assert asyncio.run(buckets.take("gilt", 41, 0, SLOW)).wait == 0
            assert asyncio.run(buckets.take("gilt", 1, 0, SLOW)).wait > 0

    def test_what_is_taken_may_overdraw_and_what_is_taken_ahead_may_not(self) -> None:
        with self.open_buckets() as (buckets, _):
            first = asyncio.run(buckets.take("gilt", 10, 20, SLOW))
            assert first == Taken(20)
            assert asyncio.run(buckets.take("gilt", 60, 20, SLOW)).ahead == pytest.approx(10, 1e-3)
            other = asyncio.run(buckets.take("other", 150, 20, SLOW))
            assert other == Taken(0)
            refused = asyncio.run(buckets.take("other", 1, 0, SLOW))
            assert refused.ahead == 0
            assert refused.wait == pytest.approx(50 / 0.001, rel=0.01)

    def test_it_fills_at_the_rate_up_to_the_burst(self) -> None:
        rate = Rate(1000.0, 50.0)
        with self.open_buckets() as (buckets, pass_seconds):
            assert asyncio.run(buckets.take("gilt", 100, 0, rate)).wait == 0
            pass_seconds(0.2)
            assert asyncio.run(buckets.take("gilt", 0, 1e6, rate)) == Taken(50)

    def test_organizations_have_separate_buckets(self) -> None:
        with self.open_buckets() as (buckets, _):
            asyncio.run(buckets.take("gilt", 200, 0, SLOW))
            assert asyncio.run(buckets.take("other", 1, 0, SLOW)).wait == 0

    def test_of_askers_that_race_none_gets_what_another_got(self) -> None:
        async def race(buckets: QuotaBuckets) -> float:
            taken = await asyncio.gather(*(buckets.take("gilt", 1, 9, SLOW) for _ in range(30)))
            return sum(1 + each.ahead for each in taken if not each.wait)

        with self.open_buckets() as (buckets, _):
            assert 100 <= asyncio.run(race(buckets)) < 102
