"""What metric, tag, organization and team names and tag values may look like."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.names import abbreviated, json_type, name_fault, owner_name_fault, text_fault
from tests.domain.samples import quick, tag_values, valid_names


@pytest.mark.parametrize(
    "name", ["a", "Z", "http.cache.hits", "a_b-c.d", "x" * 127, "a.", "a-", "A1", "ship-To_2"]
)
def test_names_of_letters_digits_and_three_signs_are_valid(name: str) -> None:
    assert name_fault(name) is None
    assert owner_name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    ["_a", ".a", "-a", " a", "a ", "a\n", "\na", "a\nb", "a\x00", "a/b", "a:b", "é", "aé", "\uff41",
     "a٣", "名", "a b", "a\u2028", "a{b}"],
)  # fmt: skip
def test_anything_else_is_refused_trailing_newline_included(name: str) -> None:
    fault = name_fault(name)
    assert fault is not None
    assert fault.startswith("must match [a-zA-Z][_a-zA-Z0-9.-]*, is ")
    assert "\n" not in fault, "the message is one line, whatever was sent"
    assert owner_name_fault(name) is not None


def test_a_name_begins_with_a_letter_an_owners_name_may_begin_with_a_digit() -> None:
    assert name_fault("3com") is not None
    assert owner_name_fault("3com") is None


@pytest.mark.parametrize(("length", "valid"), [(0, False), (1, True), (127, True), (128, False)])
def test_names_and_tag_values_have_1_to_127_characters(length: int, valid: bool) -> None:
    text = "a" * length
    expected = None if valid else f"must have 1 to 127 characters, has {length}"
    assert name_fault(text) == expected
    assert owner_name_fault(text) == expected
    assert text_fault(text) == expected


def test_the_length_of_a_tag_value_counts_characters_not_bytes() -> None:
    assert text_fault("😀" * 127) is None
    assert text_fault("😀" * 128) is not None


@pytest.mark.parametrize(
    ("value", "kind"),
    [(None, "null"), (True, "a boolean"), (1, "a number"), (1.5, "a number"), ([], "an array"),
     ({}, "an object")],
)  # fmt: skip
def test_what_is_no_string_is_refused_by_its_json_type(value: object, kind: str) -> None:
    assert name_fault(value) == f"must be a string, not {kind}"
    assert owner_name_fault(value) == f"must be a string, not {kind}"
    assert text_fault(value) == f"must be a string, not {kind}"


def test_a_string_is_named_a_string_and_an_unknown_type_by_its_class() -> None:
    assert json_type("x") == "a string"
    assert json_type(b"x") == "bytes"


@pytest.mark.parametrize(
    "value",
    ["42", "10.0.0.1:80", "svc12.prod.iad", "a,b", "a:b", "a b", " ", "Ærøskøbing", "名前",
     "😀", "\u200b", "\u2028", "\xa0", "'\"\\", "e\u0301"],
)  # fmt: skip
def test_a_tag_value_is_any_text(value: str) -> None:
    assert text_fault(value) is None


def test_every_control_character_and_nothing_else_is_refused_in_a_tag_value() -> None:
    refused = {c for c in map(chr, range(sys.maxunicode + 1)) if text_fault(c) is not None}
    assert refused == {c for c in map(chr, range(0x10000)) if unicodedata.category(c) == "Cc"}
    assert {"\x00", "\t", "\n", "\x1f", "\x7f", "\x80", "\x85", "\x9f"} <= refused


def test_a_control_character_is_told_with_its_place() -> None:
    assert text_fault("ab\x7fc") == "must have no control characters, has U+007F at 2"


@quick
@given(
    st.one_of(
        st.text("aZ9_.-é \n\x7f", max_size=130),
        valid_names,
        valid_names.map(lambda name: name + "\n"),
    )
)
def test_the_rule_is_a_full_match_of_the_contracts_pattern(name: str) -> None:
    matches = re.fullmatch(r"[a-zA-Z][_a-zA-Z0-9.-]*", name) is not None
    assert (name_fault(name) is None) == (matches and len(name) <= 127)


@quick
@given(tag_values)
def test_text_without_control_characters_is_a_tag_value(value: str) -> None:
    assert text_fault(value) is None


def test_long_texts_are_cut_in_messages() -> None:
    assert abbreviated("x" * 60) == repr("x" * 60)
    assert abbreviated("x" * 61) == repr("x" * 60 + "…")
    assert len(name_fault("é" * 127) or "") < 120
