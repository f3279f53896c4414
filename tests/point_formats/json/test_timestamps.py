"""Timestamps of the JSON format: whole seconds, or a finer unit recognized by its size."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.json.timestamps import MAX_SECONDS, timestamp_fault, to_milliseconds
from tests.domain.samples import quick

WHOLE = "must be a whole number of seconds since the epoch"
LATEST = 1_398_875_025_000


def by_the_contract(timestamp: int) -> int:
    """Divide by 1000 until it is not above the limit; cut off fractions of a millisecond."""
    seconds = Fraction(timestamp)
    while seconds > MAX_SECONDS:
        seconds /= 1000
    return math.floor(seconds * 1000)


@pytest.mark.parametrize(
    "timestamp",
    [1398788625123, 1398788625123456, 1398788625123456789, 1398788625123456789012],
    ids=["milliseconds", "microseconds", "nanoseconds", "picoseconds"],
)
def test_one_instant_is_the_same_millisecond_in_every_finer_unit(timestamp: int) -> None:
    assert to_milliseconds(timestamp) == 1398788625123


@pytest.mark.parametrize(
    ("timestamp", "milliseconds"),
    [
        (0, 0),
        (1, 1000),
        (1398788625, 1398788625000),
        (95617584000, 95617584000000),
        (95617584001, 95617584001),
        (95617584000 * 1000, 95617584000000),
        (95617584000 * 1000 + 1, 95617584000),
        (95617584000 * 1000 + 1000, 95617584001),
        (95617584000 * 1000**2, 95617584000000),
        (95617584000 * 1000**2 + 1, 95617584000),
        (95617584000 * 1000**5 + 1, 95617584000),
    ],
)
def test_a_timestamp_above_the_limit_is_divided_until_it_is_not(
    timestamp: int, milliseconds: int
) -> None:
    assert to_milliseconds(timestamp) == milliseconds


@quick
@given(
    st.one_of(
        st.integers(0, 10**30),
        st.builds(
            lambda power, offset: MAX_SECONDS * 1000**power + offset,
            st.integers(0, 8),
            st.integers(-2000, 2000),
        ),
    )
)
def test_every_timestamp_follows_the_contracts_division(timestamp: int) -> None:
    assert to_milliseconds(timestamp) == by_the_contract(timestamp)


@quick
@given(st.integers(MAX_SECONDS + 1, MAX_SECONDS * 1000 - 1))
def test_milli_micro_and_nanoseconds_agree_to_the_millisecond(milliseconds: int) -> None:
    assert to_milliseconds(milliseconds) == milliseconds
    assert to_milliseconds(milliseconds * 1000 + 999) == milliseconds
    assert to_milliseconds(milliseconds * 1000_000 + 999_999) == milliseconds


@pytest.mark.parametrize("timestamp", [0, 1, LATEST // 1000, LATEST, LATEST * 1000, LATEST * 10**6])
def test_any_time_up_to_the_last_millisecond_is_accepted(timestamp: int) -> None:
    assert timestamp_fault(timestamp, LATEST) is None


@pytest.mark.parametrize("timestamp", [LATEST // 1000 + 1, LATEST + 1, LATEST * 1000 + 1000])
def test_a_millisecond_past_the_future_limit_is_refused(timestamp: int) -> None:
    fault = timestamp_fault(timestamp, LATEST)
    assert fault is not None
    assert "too far in the future" in fault
    assert "at most 1398875025.000 is accepted" in fault


def test_a_timestamp_of_thousands_of_digits_is_converted() -> None:
    assert to_milliseconds(10**4299) == by_the_contract(10**4299) == 10**12


@pytest.mark.parametrize(
    ("timestamp", "detail"),
    [
        (-1, "must not be negative, is -1"),
        (
            1398788625.0,
            f"{WHOLE}, as an integer, is 1398788625.0",
        ),
        (
            1398788625.5,
            f"{WHOLE}, as an integer, is 1398788625.5",
        ),
        (math.nan, f"{WHOLE}, as an integer, is nan"),
        (math.inf, f"{WHOLE}, as an integer, and is too large"),
        (True, "must be a whole number of seconds since the epoch, not a boolean"),
        (False, "must be a whole number of seconds since the epoch, not a boolean"),
        ("1398788625", "must be a whole number of seconds since the epoch, not a string"),
        (None, "must be a whole number of seconds since the epoch, not null"),
        ([1], "must be a whole number of seconds since the epoch, not an array"),
    ],
)
def test_a_timestamp_must_be_a_whole_number_and_not_negative(
    timestamp: object, detail: str
) -> None:
    assert timestamp_fault(timestamp, LATEST) == detail
