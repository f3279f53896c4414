"""Descriptions of metrics: a text is made to fit, and never refused."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metric_description import (
    ELLIPSIS,
    MAX_HELP_LENGTH,
    MAX_UNIT_LENGTH,
    MetricDescription,
    MetricType,
    Temporality,
    description_for,
    description_of,
    descriptions_fault,
)
from tests.domain.samples import quick, valid_names

texts = st.one_of(
    st.text(max_size=80),
    st.text("ab \n\t\x00\x85\ud800é😀", max_size=80),
    st.integers(1, 3 * MAX_HELP_LENGTH).map(lambda length: "a b" * length),
)


@quick
@given(valid_names, st.text(max_size=20), texts, texts, st.text(max_size=20))
def test_whatever_the_texts_are_the_description_is_valid(
    name: str, kind: str, unit: str, text: str, temporality: str
) -> None:
    described = description_of(name, kind, unit, text, temporality)

    assert described is not None
    assert descriptions_fault([described]) is None
    assert len(described.unit) <= MAX_UNIT_LENGTH
    assert len(described.help) <= MAX_HELP_LENGTH
    assert not {"Cc", "Cs"} & {*map(unicodedata.category, described.unit + described.help)}


@quick
@given(valid_names, texts, texts)
def test_what_fits_already_stays_as_it_is(name: str, unit: str, text: str) -> None:
    once = description_of(name, "gauge", unit, text)
    assert once is not None
    assert description_of(once.name, once.type, once.unit, once.help, once.temporality) == once


def test_line_breaks_become_blanks_and_a_cut_shows() -> None:
    assert description_of("a", help="  one\r\n\ttwo ") == MetricDescription("a", help="one two")
    cut = description_of("a", help="x" * (MAX_HELP_LENGTH + 1))
    assert cut is not None
    assert cut.help == "x" * (MAX_HELP_LENGTH - 1) + ELLIPSIS


@pytest.mark.parametrize("name", ["", "9a", "a b", "é", "a" * 256])
def test_a_metric_whose_name_is_invalid_has_no_description(name: str) -> None:
    assert description_of(name, "counter") is None


@pytest.mark.parametrize("kind", MetricType)
@pytest.mark.parametrize("temporality", Temporality)
def test_every_type_and_temporality_is_known_by_its_name(
    kind: MetricType, temporality: Temporality
) -> None:
    described = description_of("a", str(kind), temporality=str(temporality))
    assert described == MetricDescription("a", kind, temporality=temporality)


@pytest.mark.parametrize("other", ["Counter", "unspecified", "gauge ", "\x00"])
def test_any_other_type_and_temporality_count_as_not_known(other: str) -> None:
    described = description_of("a", other, temporality=other)
    assert described == MetricDescription("a", MetricType.UNKNOWN, "", "", Temporality.UNSPECIFIED)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "9a"), ("unit", "a\n"), ("unit", "s" * 64), ("help", "\x00"), ("help", "h" * 1025)],
)
def test_a_description_that_was_made_in_another_way_is_checked(field: str, value: str) -> None:
    sound = MetricDescription("a", MetricType.COUNTER, "s", "help")
    assert descriptions_fault([sound]) is None
    broken = msgspec.structs.replace(sound, **{field: value})
    fault = descriptions_fault([sound, broken])
    assert fault is not None
    assert "\n" not in fault


@pytest.mark.parametrize(
    ("kind", "ends"),
    [
        (MetricType.HISTOGRAM, {"_bucket", "_count", "_sum"}),
        (MetricType.EXPONENTIAL_HISTOGRAM, {"_bucket", "_count", "_sum"}),
        (MetricType.GAUGE_HISTOGRAM, {"_bucket", "_gcount", "_gsum"}),
        (MetricType.SUMMARY, {"_count", "_sum"}),
        (MetricType.COUNTER, {"_total"}),
        (MetricType.INFO, {"_info"}),
        (MetricType.GAUGE, set()),
        (MetricType.STATE_SET, set()),
        (MetricType.UNKNOWN, set()),
    ],
)
def test_the_parts_of_a_metric_have_its_description(kind: MetricType, ends: set[str]) -> None:
    whole = MetricDescription("a_b", kind)
    known = {"a_b": whole}
    assert description_for("a_b", known) == whole
    tried = ("_bucket", "_count", "_sum", "_gcount", "_gsum", "_total", "_info", "_x", "_")
    assert {end for end in tried if description_for(f"a_b{end}", known)} == ends
    own = MetricDescription("a_b_sum", MetricType.GAUGE)
    assert description_for("a_b_sum", {**known, "a_b_sum": own}) == own
    assert description_for("a", known) is description_for("sum", known) is None
