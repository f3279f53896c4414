"""Selectors: which samples count at a step."""

from __future__ import annotations

import math

import pytest

from application.reading.promql import String
from tests.promql.evaluating import STALE, Evaluated, matrix


def test_a_sample_counts_for_less_than_five_minutes() -> None:
    evaluated = Evaluated({"up": [(100, 7)]})
    assert evaluated.vector("up", 99.999) == {}
    assert evaluated.vector("up", 100) == {"up": 7}
    assert evaluated.vector("up", 399.999) == {"up": 7}
    assert evaluated.vector("up", 400) == {}


def test_a_stale_marker_ends_a_series_until_its_next_sample() -> None:
    evaluated = Evaluated({"up": [(10, 1), (20, STALE), (40, 2)]})
    assert evaluated.range("up", 0, 50, 10) == {"up": {10: 1, 40: 2, 50: 2}}


def test_another_nan_is_a_value() -> None:
    assert math.isnan(Evaluated({"up": [math.nan]}).value("up"))


def test_stale_markers_are_not_in_ranges() -> None:
    evaluated = Evaluated({"up": [(10, 1), (20, STALE), (30, 3)]})
    assert matrix(evaluated.instant("up[1m]", 40)) == {"up": {10: 1, 30: 3}}
    assert evaluated.value("count_over_time(up[1m])", 40) == 2
    assert evaluated.vector("count_over_time(up[15s])", 25) == {}
    assert evaluated.vector("absent_over_time(up[9s])", 25) == {"": 1}


def test_a_range_is_open_on_the_left_and_closed_on_the_right() -> None:
    evaluated = Evaluated({"up": [1, 2, 3, 4]})
    assert matrix(evaluated.instant("up[20s]", 30)) == {"up": {20: 3, 30: 4}}
    assert evaluated.value("sum_over_time(up[20s])", 30) == 7


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("up offset 20s", 4),
        ("up offset -20s", 8),
        ("up @ 30", 3),
        ("up @ 30 offset 10s", 2),
        ("up offset 10s @ 30", 2),
        ("up @ start()", 6),
        ("up @ end()", 6),
        ("sum_over_time(up[20s] offset 10s)", 4 + 5),
        ("sum_over_time(up[20s] @ 30)", 2 + 3),
    ],
)
def test_offset_and_at_choose_another_time(selector: str, value: float) -> None:
    assert Evaluated({"up": range(100)}).value(selector, 60) == value


def test_start_and_end_are_those_of_the_whole_query_also_in_subqueries() -> None:
    evaluated = Evaluated({"up": range(100)})
    assert evaluated.range("up @ end()", 100, 120, 10) == {"up": {100: 12, 110: 12, 120: 12}}
    found = evaluated.range("max_over_time((up @ start())[1m:10s])", 100, 120, 20)
    assert found == {"": {100: 10, 120: 10}}


def test_names_may_be_quoted_and_have_dots() -> None:
    evaluated = Evaluated({'{"http.hits", "host.name"="a"}': [1]})
    assert evaluated.vector('{"http.hits"}') == {'http.hits{host.name="a"}': 1}
    assert evaluated.vector('sum by ("host.name") ({"http.hits"})') == {'{host.name="a"}': 1}


def test_regular_expressions_match_whole_values_in_the_syntax_of_re2() -> None:
    evaluated = Evaluated({'up{a="one\\ntwo"}': [1], 'up{a="ONE"}': [2], "up": [3]})
    assert list(evaluated.vector('up{a=~"one"}').values()) == []
    assert list(evaluated.vector('up{a=~"one.*"}').values()) == [1]
    assert list(evaluated.vector('up{a=~"(?i)one"}').values()) == [2]
    assert list(evaluated.vector('up{a!~"[[:upper:]]+|one\\\\n\\\\pL+"}').values()) == [3]
    assert list(evaluated.vector('up{a=~".*"}').values()) == [3, 2, 1]


def test_raw_strings_have_no_escapes() -> None:
    evaluated = Evaluated({'up{a="x.y"}': [1], 'up{a="xzy"}': [2], 'up{a="q\\"q"}': [3]})
    assert list(evaluated.vector(r"up{a=~`x\.y`}").values()) == [1]
    assert list(evaluated.vector('up{a=`q"q`}').values()) == [3]
    assert evaluated.instant("`a\\n\n'\"`", 0) == String(0, "a\\n\n'\"")
    assert evaluated.instant("'`' # `", 0) == String(0, "`")


def test_a_subquery_evaluates_at_multiples_of_its_step() -> None:
    evaluated = Evaluated({"up": range(100)})
    found = matrix(evaluated.instant("up[40s:20s]", 65))
    assert found == {"up": {40: 4, 60: 6}}
    assert matrix(evaluated.instant("up[2m:]", 125)) == {"up": {60: 6, 120: 12}}


def test_a_subquery_is_open_on_the_left() -> None:
    found = matrix(Evaluated({"up": range(100)}).instant("up[40s:20s]", 80))
    assert found == {"up": {60: 6, 80: 8}}


def test_subqueries_can_be_nested() -> None:
    evaluated = Evaluated({"up": range(100)})
    assert evaluated.value("sum_over_time(max_over_time(up[30s])[1m:20s])", 70) == 6 + 4 + 2
