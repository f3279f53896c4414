"""Quotas: points per second per organization, with bursts."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from application.publishing.quota import BURST_SECONDS, PointQuota
from domain.errors import QuotaExceeded
from tests.application.doubles import FakeMonotonic
from tests.domain.samples import quick

RATE = 10.0
BURST = int(RATE * BURST_SECONDS)


@pytest.fixture
def monotonic() -> FakeMonotonic:
    return FakeMonotonic()


@pytest.fixture
def quota(monotonic: FakeMonotonic) -> PointQuota:
    return PointQuota(RATE, monotonic)


def refused_after(quota: PointQuota, points: int = 1) -> int:
    with pytest.raises(QuotaExceeded) as refusal:
        quota.charge("gilt", points)
    return refusal.value.retry_after


def test_a_burst_of_ten_seconds_is_admitted_and_no_more(quota: PointQuota) -> None:
    for _ in range(BURST):
        quota.charge("gilt", 1)
    assert refused_after(quota) == 1


def test_the_bucket_fills_at_the_rate(quota: PointQuota, monotonic: FakeMonotonic) -> None:
    quota.charge("gilt", BURST)
    monotonic.seconds += 0.5
    quota.charge("gilt", 5)
    refused_after(quota)


def test_silence_refills_at_most_one_burst(quota: PointQuota, monotonic: FakeMonotonic) -> None:
    quota.charge("gilt", BURST)
    monotonic.seconds += 1_000_000
    quota.charge("gilt", BURST)
    refused_after(quota)


def test_a_batch_larger_than_a_burst_is_slowed_down_and_not_refused_for_ever(
    quota: PointQuota, monotonic: FakeMonotonic
) -> None:
    quota.charge("gilt", 3 * BURST)
    assert refused_after(quota) == 2 * BURST_SECONDS + 1
    monotonic.seconds += 2 * BURST_SECONDS
    refused_after(quota)
    monotonic.seconds += 0.1
    quota.charge("gilt", 3 * BURST)


def test_a_refusal_takes_nothing(quota: PointQuota, monotonic: FakeMonotonic) -> None:
    quota.charge("gilt", BURST)
    for _ in range(10):
        refused_after(quota, 1_000_000)
    monotonic.seconds += 0.1
    quota.charge("gilt", 1)


def test_organizations_have_separate_quotas(quota: PointQuota) -> None:
    quota.charge("gilt", 2 * BURST)
    quota.charge("other", BURST)
    refused_after(quota)


def test_the_message_names_organization_and_quota(quota: PointQuota) -> None:
    quota.charge("gilt", BURST)
    with pytest.raises(QuotaExceeded, match=r"organization 'gilt' is over its quota of 10 points"):
        quota.charge("gilt", 1)


@quick
@example(0.5, 7, 1.65e-13)
@given(st.sampled_from([0.5, 1.0, 3.0, 10.0, 1e6]), st.integers(0, 10**7), st.floats(0, 9))
def test_a_client_that_waits_for_retry_after_is_admitted(
    rate: float, excess: int, pause: float
) -> None:
    monotonic = FakeMonotonic()
    quota = PointQuota(rate, monotonic)
    quota.charge("gilt", int(rate * (BURST_SECONDS + 10)) + excess)
    monotonic.seconds += pause
    monotonic.seconds += refused_after(quota)
    quota.charge("gilt", 1)
