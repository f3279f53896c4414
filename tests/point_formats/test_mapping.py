"""Names and tags of other protocols, mapped to valid ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.point_formats.mapping import (
    Unmappable,
    mapped_metric_name,
    mapped_tag_name,
    mapped_tags,
)
from application.publishing.refusals import Reason
from domain.metric_point import MAX_TAGS
from domain.names import (
    MAX_NAME_LENGTH,
    MAX_TAG_VALUE_LENGTH,
    metric_name_fault,
    tag_name_fault,
    tag_value_fault,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http.requests", "http.requests"),
        ("cpu usage%", "cpu_usage_"),
        ("5xx", "_5xx"),
        (":ratio", ":ratio"),
        (".hidden", "_hidden"),
        ("été", "_t_"),
    ],
)
def test_metric_names(text: str, expected: str) -> None:
    assert mapped_metric_name(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("k8s.pod/name", "k8s.pod/name"), ("a:b", "a_b"), ("0", "_0"), (":a", "_a"), ("-", "_")],
)
def test_tag_names(text: str, expected: str) -> None:
    assert mapped_tag_name(text) == expected


@given(st.text(min_size=1, max_size=MAX_NAME_LENGTH - 1))
def test_any_text_becomes_a_valid_name_and_stays_it(text: str) -> None:
    for mapped, fault in (
        (mapped_metric_name, metric_name_fault),
        (mapped_tag_name, tag_name_fault),
    ):
        name = mapped(text)
        assert fault(name) is None
        assert mapped(name) == name


@given(st.text(max_size=MAX_TAG_VALUE_LENGTH))
def test_any_value_becomes_valid_or_is_left_out(text: str) -> None:
    pairs = mapped_tags([("tag", text)]).pairs
    assert len(pairs) == bool(text)
    assert all(tag_value_fault(value) is None for _, value in pairs)


def test_tags_are_sorted_and_empty_ones_left_out() -> None:
    tags = mapped_tags([("b", "2"), ("none", ""), ("a", "1\n")])
    assert tags.pairs == (("a", "1\N{REPLACEMENT CHARACTER}"), ("b", "2"))


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("", "1")], Reason.TAG),
        ([("a b", "1"), ("a_b", "2")], Reason.TAG),
        ([("a" * (MAX_NAME_LENGTH + 1), "1")], Reason.TAG),
        ([("a", "1" * (MAX_TAG_VALUE_LENGTH + 1))], Reason.TAG),
        ([(f"t{n}", "1") for n in range(MAX_TAGS + 1)], Reason.TOO_MANY_TAGS),
    ],
)
def test_tags_that_cannot_be_kept_are_refused(pairs: list[tuple[str, str]], reason: Reason) -> None:
    with pytest.raises(Unmappable) as caught:
        mapped_tags(pairs)
    assert caught.value.reason == reason


@pytest.mark.parametrize("text", ["", "a" * (MAX_NAME_LENGTH + 1)])
def test_names_without_a_valid_form_are_refused(text: str) -> None:
    for mapped in (mapped_metric_name, mapped_tag_name):
        with pytest.raises(Unmappable):
            mapped(text)
