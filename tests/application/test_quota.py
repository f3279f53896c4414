"""Quotas: points per second per organization, with bursts, over all workers."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.memory.quota_buckets import MemoryQuotaBuckets
from application.publishing.quota import CHUNK_SECONDS, PointQuota, Taken
from domain.errors import QuotaExceeded
from domain.limits import BURST_SECONDS, OrganizationLimits, Rate, rate_of
from tests.application.doubles import FakeMonotonic
from tests.domain.samples import quick

RATE = Rate(10.0, 100.0)
BURST = int(RATE.burst)
SECONDS = 30


class CountingBuckets(MemoryQuotaBuckets):
    """Counts how often they are asked."""

    asked = 0

    async def take(self, organization: str, points: float, ahead: float, rate: Rate) -> Taken:
        self.asked += 1
        await asyncio.sleep(0)
        return await super().take(organization, points, ahead, rate)


class Workers:
    """The quotas of some workers over the same buckets."""

    def __init__(self, count: int = 1, rate: Rate = RATE) -> None:
        self.clock = FakeMonotonic()
        self.buckets = CountingBuckets(self.clock)
        self.rate = rate
        self.quotas = [PointQuota(self.buckets, lambda _: rate, self.clock) for _ in range(count)]

    def charge(self, points: int, organization: str = "gilt", worker: int = 0) -> None:
        asyncio.run(self.quotas[worker].charge(organization, points, self.rate))

    def refused_after(self, points: int = 1, worker: int = 0) -> int:
        with pytest.raises(QuotaExceeded) as refusal:
            self.charge(points, worker=worker)
        return refusal.value.retry_after


def test_a_burst_is_admitted_and_no_more() -> None:
    workers = Workers()
    for _ in range(BURST):
        workers.charge(1)
    assert workers.refused_after() == 1


def test_the_bucket_fills_at_the_rate() -> None:
    workers = Workers()
    workers.charge(BURST)
    workers.clock.seconds += 0.5
    workers.charge(5)
    workers.refused_after()


def test_silence_refills_at_most_one_burst() -> None:
    workers = Workers()
    workers.charge(BURST)
    workers.clock.seconds += 1_000_000
    workers.charge(BURST)
    workers.refused_after()


def test_a_batch_larger_than_a_burst_is_slowed_down_and_not_refused_for_ever() -> None:
    workers = Workers()
    workers.charge(3 * BURST)
    assert workers.refused_after() == 2 * BURST_SECONDS + 1
    workers.clock.seconds += 2 * BURST_SECONDS
    workers.refused_after()
    workers.clock.seconds += 0.3
    workers.charge(3 * BURST)


def test_a_refusal_takes_nothing() -> None:
    workers = Workers()
    workers.charge(BURST)
    for _ in range(10):
        workers.refused_after(1_000_000)
    workers.clock.seconds += 0.3
    workers.charge(1)


def test_organizations_have_separate_quotas() -> None:
    workers = Workers()
    workers.charge(2 * BURST)
    workers.charge(BURST, "other")
    workers.refused_after()


def test_the_message_names_organization_and_quota() -> None:
    workers = Workers()
    workers.charge(BURST)
    with pytest.raises(QuotaExceeded, match=r"organization 'gilt' is over its quota of 10 points"):
        workers.charge(1)


def test_workers_share_what_an_organization_may_publish() -> None:
    workers = Workers(4)

    async def admitted_in_all() -> int:
        admitted = 0
        for _ in range(SECONDS * 100):
            for quota in workers.quotas:
                with suppress(QuotaExceeded):
                    await quota.charge("gilt", 1, workers.rate)
                    admitted += 1
            workers.clock.seconds += 0.01
        return admitted

    admitted = asyncio.run(admitted_in_all())
    rate = RATE.points_per_second
    assert BURST + (SECONDS - 2) * rate <= admitted <= BURST + (SECONDS + 1) * rate


def test_a_busy_worker_asks_a_few_times_per_second() -> None:
    workers = Workers(rate=Rate(100_000.0, 1_000_000.0))
    for _ in range(1000):
        workers.charge(50)
        workers.clock.seconds += 0.001
    assert workers.buckets.asked <= 2 / CHUNK_SECONDS


def test_a_worker_over_the_quota_asks_a_few_times_per_second() -> None:
    workers = Workers()
    workers.charge(10 * BURST)
    for _ in range(1000):
        workers.refused_after()
        workers.clock.seconds += 0.001
    assert workers.buckets.asked <= 2 + 1 / CHUNK_SECONDS


def test_batches_at_once_ask_once() -> None:
    workers = Workers(rate=Rate(1000.0, 10_000.0))

    async def at_once() -> None:
        quota = workers.quotas[0]
        await asyncio.gather(*(quota.charge("gilt", 1, workers.rate) for _ in range(100)))

    asyncio.run(at_once())
    assert workers.buckets.asked == 1


def test_what_is_given_back_can_be_taken_again() -> None:
    workers = Workers()
    workers.charge(BURST)
    workers.quotas[0].give_back("gilt", BURST)
    workers.charge(BURST)
    workers.refused_after()


@pytest.mark.parametrize(
    ("own", "default", "expected"),
    [
        (OrganizationLimits(), None, None),
        (OrganizationLimits(), 5.0, Rate(5.0, 50.0)),
        (OrganizationLimits(points_per_second=7.0), 5.0, Rate(7.0, 70.0)),
        (OrganizationLimits(burst=3), 5.0, Rate(5.0, 3)),
        (OrganizationLimits(burst=3), None, None),
        (OrganizationLimits(points_per_second=7.0, burst=3), None, Rate(7.0, 3)),
    ],
)
def test_an_organization_s_own_limits_precede_the_default(
    own: OrganizationLimits, default: float | None, expected: Rate | None
) -> None:
    assert rate_of(own, default) == expected


@quick
@example(0.5, 7, 1.65e-13)
@given(st.sampled_from([0.5, 1.0, 3.0, 10.0, 1e6]), st.integers(0, 10**7), st.floats(0, 9))
def test_a_client_that_waits_for_retry_after_is_admitted(
    rate: float, excess: int, pause: float
) -> None:
    workers = Workers(rate=Rate(rate, rate * BURST_SECONDS))
    workers.charge(int(rate * (BURST_SECONDS + 10)) + excess)
    workers.clock.seconds += pause
    workers.clock.seconds += workers.refused_after()
    workers.charge(1)
