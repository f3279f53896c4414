"""The rules of one point: timestamps, values, tags."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metric_point import (
    LATEST_SECONDS,
    MAX_TAGS,
    TagSet,
    tag_faults,
    tag_set,
    timestamp_fault,
    to_milliseconds,
    value_fault,
)
from tests.domain.samples import quick, tag_values, valid_names

WHOLE = "must be a whole number of seconds since the epoch"
LATEST = 1_398_875_025_000


def by_the_contract(timestamp: int) -> int:
    """Divide by 1000 until it is not above the limit; keep it to the millisecond."""
    seconds = Fraction(timestamp)
    while seconds > LATEST_SECONDS:
        seconds /= 1000
    return math.floor(seconds * 1000)


@pytest.mark.parametrize(
    "timestamp",
    [1398788625123, 1398788625123456, 1398788625123456789, 1398788625123456789012],
    ids=["milliseconds", "microseconds", "nanoseconds", "picoseconds"],
)
def test_one_instant_in_finer_units_is_the_same_millisecond(timestamp: int) -> None:
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
            lambda power, offset: LATEST_SECONDS * 1000**power + offset,
            st.integers(0, 8),
            st.integers(-2000, 2000),
        ),
    )
)
def test_every_timestamp_follows_the_contracts_division(timestamp: int) -> None:
    assert to_milliseconds(timestamp) == by_the_contract(timestamp)


@quick
@given(st.integers(LATEST_SECONDS + 1, LATEST_SECONDS * 1000 - 1))
def test_milli_micro_and_nanoseconds_agree_to_the_millisecond(milliseconds: int) -> None:
    assert to_milliseconds(milliseconds) == milliseconds
    assert to_milliseconds(milliseconds * 1000 + 999) == milliseconds
    assert to_milliseconds(milliseconds * 1000_000 + 999_999) == milliseconds


@pytest.mark.parametrize("timestamp", [0, 1, LATEST // 1000, LATEST, LATEST * 1000, LATEST * 10**6])
def test_any_past_up_to_the_last_millisecond_inclusive_is_accepted(timestamp: int) -> None:
    assert timestamp_fault(timestamp, LATEST) is None


@pytest.mark.parametrize("timestamp", [LATEST // 1000 + 1, LATEST + 1, LATEST * 1000 + 1000])
def test_a_millisecond_past_the_future_limit_is_refused(timestamp: int) -> None:
    fault = timestamp_fault(timestamp, LATEST)
    assert fault is not None
    assert "too far in the future" in fault
    assert "at most 1398875025.000 is accepted" in fault


def test_a_timestamp_of_thousands_of_digits_is_judged_like_any_other() -> None:
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
def test_a_timestamp_is_a_whole_number_not_negative(timestamp: object, detail: str) -> None:
    assert timestamp_fault(timestamp, LATEST) == detail


@pytest.mark.parametrize(
    "value", [0, 1, -1, 123.5, -0.0, 5e-324, 1.7976931348623157e308, 2**63, 10**308, -(10**300)]
)
def test_any_finite_number_is_a_value(value: float) -> None:
    assert value_fault(value) is None


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, -(10**400), 10**309])
def test_a_value_that_no_64_bit_float_holds_is_refused(value: float) -> None:
    assert value_fault(value) == "must be finite and fit a 64-bit float"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "a boolean"), (False, "a boolean"), ("1", "a string"), (None, "null"),
     ([1], "an array"), ({}, "an object")],
)  # fmt: skip
def test_a_value_is_a_number_and_not_a_boolean(value: object, kind: str) -> None:
    assert value_fault(value) == f"must be a number, not {kind}"


def test_tags_are_valid_up_to_ten() -> None:
    ten = {f"t{i}": "v" for i in range(MAX_TAGS)}
    assert MAX_TAGS == 10
    assert tag_set(ten) is not None
    assert list(tag_faults(ten)) == []
    eleven = ten | {"one-more": "v"}
    assert tag_set(eleven) is None
    assert list(tag_faults(eleven)) == [(None, "must have at most 10 tags, has 11")]


def test_no_tags_are_a_tag_set_too() -> None:
    assert tag_set({}) == TagSet(())
    assert list(tag_faults({})) == []


def test_every_fault_of_the_tags_is_told_with_the_tags_name() -> None:
    assert list(tag_faults({"ok": "v", "_bad": "v", "host": "", "n": 1})) == [
        ("_bad", "the tag's name must match [a-zA-Z][_a-zA-Z0-9.-]*, is '_bad'"),
        ("host", "the value of tag 'host' must have 1 to 127 characters, has 0"),
        ("n", "the value of tag 'n' must be a string, not a number"),
    ]


@pytest.mark.parametrize(
    ("tags", "kind"), [(None, "null"), ([], "an array"), ("a", "a string"), (1, "a number")]
)
def test_tags_are_an_object(tags: object, kind: str) -> None:
    assert list(tag_faults(tags)) == [(None, f"must be an object of strings, not {kind}")]


@quick
@given(st.dictionaries(valid_names, tag_values, max_size=MAX_TAGS), st.randoms())
def test_tag_sets_are_equal_and_hash_alike_whatever_the_order(
    tags: dict[str, str], random: object
) -> None:
    shuffled = list(tags.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = tag_set(tags), tag_set(dict(shuffled))
    assert one is not None
    assert one == other
    assert hash(one) == hash(other)
    assert one.as_dict() == tags
    assert list(one.pairs) == sorted(tags.items())


def test_tag_sets_differ_by_a_name_by_a_value_and_by_which_is_which() -> None:
    sets = [
        tag_set(tags)
        for tags in ({}, {"a": "b"}, {"b": "a"}, {"a": "c"}, {"a": "b", "c": "d"}, {"a": "B"})
    ]
    assert len(set(sets)) == len(sets)
