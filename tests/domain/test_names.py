"""The rules for names of metrics, tags, organizations and teams, and for tag values."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import (
    abbreviated,
    json_type,
    label_fault,
    metric_name_fault,
    owner_name_fault,
    tag_name_fault,
    tag_value_fault,
)
from tests.domain.samples import quick, tag_names, tag_values, valid_names

RULES = [metric_name_fault, tag_name_fault, owner_name_fault]
ALL_RULES = [*RULES, tag_value_fault, label_fault]
Rule = Callable[[object], str | None]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "name", ["a", "Z", "http.cache.hits", "a_b-c.d", "x" * 127, "a.", "a-", "A1", "ship-To_2"]
)
def test_names_of_letters_digits_and_three_signs_are_valid(rule: Rule, name: str) -> None:
    assert rule(name) is None


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "name",
    [".a", "-a", " a", "a ", "a\n", "\na", "a\nb", "a\x00", "é", "aé", "\uff41", "a\\b",
     "a٣", "名", "a b", "a\u2028", "a{b}", "a\ud800"],
)  # fmt: skip
def test_anything_else_is_refused_trailing_newline_included(rule: Rule, name: str) -> None:
    fault = rule(name)
    assert fault is not None
    assert fault.startswith("must match [a-zA-Z")
    assert "\n" not in fault, "the message is one line, whatever was sent"


@pytest.mark.parametrize(
    ("name", "metric", "tag", "owner"),
    [
        ("3com", False, False, True),
        ("_up", True, True, False),
        (":up", True, False, False),
        ("job:rate:5m", True, False, False),
        ("sys/cpu", True, True, False),
        ("/sys", False, False, False),
        ("_", True, True, False),
    ],
)
def test_the_three_rules_differ_in_colons_slashes_and_first_characters(
    name: str, metric: bool, tag: bool, owner: bool
) -> None:
    """Recording rules have colons, OpenTSDB's names slashes, Prometheus' own labels a `_` first."""
    assert (metric_name_fault(name) is None) == metric
    assert (tag_name_fault(name) is None) == tag
    assert (owner_name_fault(name) is None) == owner


@pytest.mark.parametrize(
    ("rule", "longest"),
    [(metric_name_fault, 255), (tag_name_fault, 255), (owner_name_fault, 127),
     (tag_value_fault, 1024), (label_fault, 127)],
)  # fmt: skip
def test_every_text_has_from_1_to_a_maximum_number_of_characters(rule: Rule, longest: int) -> None:
    assert rule("a") is None
    assert rule("a" * longest) is None
    for length in (0, longest + 1):
        assert rule("a" * length) == f"must have 1 to {longest} characters, has {length}"


def test_the_length_of_a_tag_value_counts_characters_not_bytes() -> None:
    assert tag_value_fault("😀" * 1024) is None
    assert tag_value_fault("😀" * 1025) is not None


@pytest.mark.parametrize("rule", ALL_RULES)
@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "a boolean"), (1, "a number"), (1.5, "a number"), ([], "an array"),
     ({}, "an object")],
)  # fmt: skip
def test_a_value_that_is_not_a_string_is_refused_by_its_json_type(
    rule: Rule, value: object, kind: str
) -> None:
    assert rule(value) == f"must be a string, not {kind}"


def test_a_string_is_named_a_string_and_an_unknown_type_by_its_class() -> None:
    assert json_type("x") == "a string"
    assert json_type(b"x") == "bytes"


@pytest.mark.parametrize(
    "value",
    ["42", "10.0.0.1:80", "svc12.prod.iad", "a,b", "a:b", "a b", " ", "Ærøskøbing", "名前",
     "😀", "\u200b", "\u2028", "\xa0", "'\"\\", "e\u0301"],
)  # fmt: skip
def test_a_tag_value_is_any_text(value: str) -> None:
    assert tag_value_fault(value) is None


def test_control_characters_and_lone_surrogates_and_nothing_else_are_refused_in_a_tag_value() -> (
    None
):
    refused = {c for c in map(chr, range(sys.maxunicode + 1)) if tag_value_fault(c) is not None}
    assert refused == {
        c for c in map(chr, range(0x10000)) if unicodedata.category(c) in ("Cc", "Cs")
    }
    assert {"\x00", "\t", "\n", "\x1f", "\x7f", "\x80", "\x85", "\x9f", "\ud800"} <= refused


def test_a_refused_character_is_reported_with_its_position() -> None:
    assert tag_value_fault("ab\x7fc") == "must have no control characters, has U+007F at 2"
    assert tag_value_fault("ab\udfff") == "must be valid Unicode, is not at 2"


@quick
@given(
    st.one_of(
        st.text("aZ9_.-:/é \n\x7f", max_size=260),
        valid_names,
        tag_names,
        valid_names.map(lambda name: name + "\n"),
    )
)
def test_the_rules_are_a_full_match_of_the_contracts_patterns(name: str) -> None:
    metric = re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:./-]*", name) is not None
    tag = re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_./-]*", name) is not None
    assert (metric_name_fault(name) is None) == (metric and len(name) <= 255)
    assert (tag_name_fault(name) is None) == (tag and len(name) <= 255)


@quick
@given(tag_values)
def test_text_without_control_characters_is_a_tag_value(value: str) -> None:
    assert tag_value_fault(value) is None


def test_long_texts_are_cut_in_messages() -> None:
    assert abbreviated("x" * 60) == repr("x" * 60)
    assert abbreviated("x" * 61) == repr("x" * 60 + "…")
    assert len(metric_name_fault("é" * 127) or "") < 120
