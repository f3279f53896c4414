"""The rules of one point: timestamps, values, tags."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metric_point import (
    MAX_TAGS,
    TagSet,
    tag_faults,
    tag_set,
    timestamp_fault,
    value_fault,
)
from tests.domain.samples import quick, tag_names, tag_values

LATEST = 1_398_875_025_000


@pytest.mark.parametrize("milliseconds", [0, 1, LATEST - 1, LATEST])
def test_any_past_up_to_the_last_millisecond_inclusive_is_accepted(milliseconds: int) -> None:
    assert timestamp_fault(milliseconds, LATEST) is None


def test_a_negative_time_or_one_too_far_in_the_future_is_refused() -> None:
    assert timestamp_fault(-1, LATEST) == "must not be negative, is -0.001 s"
    fault = timestamp_fault(LATEST + 1, LATEST)
    assert fault is not None
    assert "too far in the future" in fault
    assert "at most 1398875025.000 is accepted" in fault


@pytest.mark.parametrize(
    "value", [0, 1, -1, 123.5, -0.0, 5e-324, 1.7976931348623157e308, 2**63, 10**308, -(10**300)]
)
def test_any_finite_number_is_a_value(value: float) -> None:
    assert value_fault(value) is None


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 10**400, -(10**400), 10**309])
def test_a_value_that_does_not_fit_a_64_bit_float_is_refused(value: float) -> None:
    assert value_fault(value) == "must be finite and fit a 64-bit float"


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, "a boolean"), (False, "a boolean"), ("1", "a string"), (None, "null"),
     ([1], "an array"), ({}, "an object")],
)  # fmt: skip
def test_a_value_is_a_number_and_not_a_boolean(value: object, kind: str) -> None:
    assert value_fault(value) == f"must be a number, not {kind}"


def test_up_to_forty_tags_are_valid() -> None:
    forty = {f"t{i}": "v" for i in range(MAX_TAGS)}
    assert MAX_TAGS == 40
    assert tag_set(forty) is not None
    assert list(tag_faults(forty)) == []
    more = forty | {"one-more": "v"}
    assert tag_set(more) is None
    assert list(tag_faults(more)) == [(None, "must have at most 40 tags, has 41")]


def test_a_tag_set_may_be_empty() -> None:
    assert tag_set({}) == TagSet(())
    assert list(tag_faults({})) == []


def test_every_fault_of_the_tags_comes_with_the_tags_name() -> None:
    assert list(tag_faults({"ok": "v", "b:d": "v", "host": "", "n": 1})) == [
        ("b:d", "the tag's name must match [a-zA-Z_][a-zA-Z0-9_./-]*, is 'b:d'"),
        ("host", "the value of tag 'host' must have 1 to 1024 characters, has 0"),
        ("n", "the value of tag 'n' must be a string, not a number"),
    ]


@pytest.mark.parametrize(
    ("tags", "kind"), [(None, "null"), ([], "an array"), ("a", "a string"), (1, "a number")]
)
def test_tags_must_be_an_object(tags: object, kind: str) -> None:
    assert list(tag_faults(tags)) == [(None, f"must be an object of strings, not {kind}")]


@quick
@given(st.dictionaries(tag_names, tag_values, max_size=MAX_TAGS), st.randoms())
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


def test_tag_sets_with_other_names_other_values_or_swapped_ones_differ() -> None:
    sets = [
        tag_set(tags)
        for tags in ({}, {"a": "b"}, {"b": "a"}, {"a": "c"}, {"a": "b", "c": "d"}, {"a": "B"})
    ]
    assert len(set(sets)) == len(sets)
