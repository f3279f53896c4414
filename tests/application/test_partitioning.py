"""The partition of an organization: part of the log's format, so it must never change."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.event_log.partitioning import DEFAULT_PARTITIONS, partition_of
from tests.domain.samples import quick, valid_names


@pytest.mark.parametrize(
    ("organization", "of_16", "of_7"),
    [("gilt", 7, 2), ("acme", 14, 6), ("a", 3, 4), ("123456789", 6, 5), ("3com", 7, 4)],
)
def test_partitions_have_not_changed(organization: str, of_16: int, of_7: int) -> None:
    assert partition_of(organization, 16) == of_16
    assert partition_of(organization, 7) == of_7


def test_the_hash_is_crc_32_of_the_standards_check_value() -> None:
    assert partition_of("123456789", 2**32) == 0xCBF43926


@quick
@given(valid_names, st.integers(1, 1000))
def test_a_partition_is_in_range(organization: str, partitions: int) -> None:
    assert 0 <= partition_of(organization, partitions) < partitions


def test_a_log_of_one_partition_keeps_everything_there() -> None:
    assert partition_of("gilt", 1) == 0


def test_organizations_spread_over_all_partitions() -> None:
    counts = Counter(partition_of(f"org{i}", DEFAULT_PARTITIONS) for i in range(1600))
    assert len(counts) == DEFAULT_PARTITIONS
    assert max(counts.values()) < 200
