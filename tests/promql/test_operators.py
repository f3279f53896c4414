"""Binary operators: arithmetic, comparisons, sets, and which series match."""

from __future__ import annotations

import math

import pytest

from application.reading.promql_errors import ExecutionFailed
from tests.promql.evaluating import Evaluated

ERRORS = Evaluated(
    {
        'errors{method="get", code="500"}': [24],
        'errors{method="get", code="404"}': [30],
        'errors{method="put", code="501"}': [3],
        'errors{method="post", code="500"}': [6],
        'errors{method="post", code="404"}': [21],
        'requests{method="get"}': [600],
        'requests{method="del"}': [34],
        'requests{method="post"}': [120],
    }
)
"""The example of Prometheus' documentation of vector matching."""


def test_one_to_one_matching_ignores_labels() -> None:
    found = ERRORS.vector('errors{code="500"} / ignoring(code) requests')
    assert found == {'{method="get"}': 0.04, '{method="post"}': 0.05}
    assert found == ERRORS.vector('errors{code="500"} / on(method) requests')


def test_many_to_one_matching_keeps_the_labels_of_the_many() -> None:
    expected = {
        '{code="500",method="get"}': 0.04,
        '{code="404",method="get"}': 0.05,
        '{code="500",method="post"}': 0.05,
        '{code="404",method="post"}': 0.175,
    }
    assert ERRORS.vector("errors / ignoring(code) group_left requests") == expected
    found = ERRORS.vector("requests / ignoring(code) group_right errors")
    assert found == pytest.approx({labels: 1 / value for labels, value in expected.items()})


def test_group_left_takes_labels_from_the_one() -> None:
    evaluated = Evaluated(
        {'x{a="1", b="2"}': [7], 'info{a="1", b="new", c="3"}': [1], 'x{a="9"}': [1]}
    )
    found = evaluated.vector("x * on(a) group_left(b, c, d) info")
    assert found == {'{a="1",b="new",c="3"}': 7}
    assert evaluated.vector("info * on(a) group_right(c) x") == {'{a="1",b="2",c="3"}': 7}


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("requests * on() errors", "found duplicate series for the match group {} on the right"),
        ("errors * on() group_right requests", "on the left hand-side"),
        ("errors * on(method) requests", r"multiple matches .* must be explicit"),
        (
            "errors * on(method) group_left(code) requests",
            r"multiple matches .* grouping labels must ensure unique matches",
        ),
        ('{__name__=~"errors|requests"} * 2', None),
        ('label_replace(requests, "method", "x", "", "")', "metrics with the same labelset"),
    ],
)
def test_ambiguous_matches_are_errors(expression: str, message: str | None) -> None:
    if message is None:
        assert len(ERRORS.vector(expression)) == 8
        return
    with pytest.raises(ExecutionFailed, match=message):
        ERRORS.vector(expression)


def test_names_that_only_differed_are_an_error() -> None:
    evaluated = Evaluated({"a": [1], "b": [2]})
    with pytest.raises(ExecutionFailed, match="same labelset"):
        evaluated.vector('{__name__=~"a|b"} * 2')


def test_series_that_follow_each_other_are_no_duplicates() -> None:
    evaluated = Evaluated(
        {
            'x{a="1"}': [2, 2, 2],
            'y{a="1", version="1"}': [(-300, 10), (0, 10)],
            'y{a="1", version="2"}': [(301, 20)],
            "x": [(0, 3)],
        }
    )
    found = evaluated.range('x{a="1"} * on(a) y', 290, 310, 15)
    assert found == {'{a="1"}': {290: 20, 305: 40}}
    found = evaluated.range('x{a="1"} * on(a) group_left(version) y', 290, 310, 15)
    assert found == {'{a="1",version="1"}': {290: 20}, '{a="1",version="2"}': {305: 40}}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("5 % 3", 2),
        ("-5 % 3", -2),
        ("5 % -3", 2),
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("1 / 0", math.inf),
        ("1 == bool 1", 1),
        ("2 < bool 1", 0),
        ("1 atan2 1", math.pi / 4),
        ("8 / 4 / 2", 1),
        ("1 - 2 - 3", -4),
        ("5m + 1h30m", 5700),
    ],
)
def test_scalars(expression: str, value: float) -> None:
    assert Evaluated({}).value(expression) == pytest.approx(value)


def test_arithmetic_drops_the_name_and_filtering_keeps_it() -> None:
    evaluated = Evaluated({"x": [5], "y": [4]})
    assert evaluated.vector("x * 2") == {"": 10}
    assert evaluated.vector("2 - x") == {"": -3}
    assert evaluated.vector("x atan2 0") == {"": pytest.approx(math.pi / 2)}
    assert evaluated.vector("-x") == {"": -5}
    assert evaluated.vector("+x") == {"x": 5}
    assert evaluated.vector("x > 4") == {"x": 5}
    assert evaluated.vector("4 < x") == {"x": 5}
    assert evaluated.vector("x > 5") == {}
    assert evaluated.vector("x > bool 5") == {"": 0}
    assert evaluated.vector("x > y") == {"x": 5}
    assert evaluated.vector("x > bool y") == {"": 1}
    assert evaluated.vector("x > on() y") == {"": 5}


def test_sets() -> None:
    evaluated = Evaluated({'x{a="1"}': [1], 'x{a="2"}': [2], 'y{a="2"}': [3], 'y{a="3"}': [4]})
    assert evaluated.vector("x and y") == {'x{a="2"}': 2}
    assert evaluated.vector("x unless y") == {'x{a="1"}': 1}
    assert evaluated.vector("x or y") == {'x{a="1"}': 1, 'x{a="2"}': 2, 'y{a="3"}': 4}
    assert evaluated.vector("x and on() y") == {'x{a="1"}': 1, 'x{a="2"}': 2}
    assert evaluated.vector("x or on() y") == {'x{a="1"}': 1, 'x{a="2"}': 2}
    assert evaluated.vector("x unless ignoring(a) y") == {}
    assert evaluated.vector("nothing or vector(0)") == {"": 0}
    assert evaluated.vector("x and nothing") == {}


def test_sets_are_decided_at_each_step() -> None:
    evaluated = Evaluated({"x": range(5), "zero": [0] * 5})
    found = evaluated.range("x > 2 or zero", 0, 40, 10)
    assert found == {"x": {30: 3, 40: 4}, "zero": {0: 0, 10: 0, 20: 0}}


def test_duplicates_do_not_matter_while_the_other_side_is_empty() -> None:
    evaluated = Evaluated({"x": [0, 0, 5], 'y{a="1"}': [9, 9, 9], 'y{a="2"}': [9, 9, 0]})
    assert evaluated.range("(x > 1) * on() (y > 5)", 0, 20, 10) == {"": {20: 45}}
    with pytest.raises(ExecutionFailed, match="found duplicate series for the match group"):
        evaluated.range("x * on() (y > 5)", 0, 20, 10)


def test_labels_that_are_not_plain_are_quoted_in_messages() -> None:
    evaluated = Evaluated({"x": [1], '{"y.z", "a.b"="1"}': [1], '{"y.z", "a.b"="2"}': [1]})
    with pytest.raises(ExecutionFailed) as raised:
        evaluated.instant('x * on() {"y.z"}')
    assert '[{__name__="y.z", "a.b"="2"}, {__name__="y.z", "a.b"="1"}]' in str(raised.value)


def test_labels_in_quotes_match_and_group() -> None:
    evaluated = Evaluated(
        {
            '{"y.z", "a.b"="1", c="3"}': [1],
            '{"y.z", "a.b"="2", c="4"}': [5],
            '{"x", "a.b"="2"}': [2],
        }
    )
    assert evaluated.vector('x * on("a.b") group_right() {"y.z"}') == {'{a.b="2",c="4"}': 10}
    assert evaluated.vector('sum by ("a.b") ({"y.z"})') == {'{a.b="1"}': 1, '{a.b="2"}': 5}
    assert evaluated.vector('sum without (c, "a.b") ({"y.z", "a.b"!="1"})') == {"": 5}
    replaced = evaluated.vector('label_replace(x, "ä ö", "$1-", "a.b", "(.*)")')
    assert replaced == {'x{a.b="2",ä ö="2-"}': 2}
    assert evaluated.vector('label_join(x, "a.b", "-", "a.b", "a.b")') == {'x{a.b="2-2"}': 2}
    assert evaluated.vector('count_values("a.b", {"y.z"})') == {'{a.b="1"}': 1, '{a.b="5"}': 1}
