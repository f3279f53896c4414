"""What is refused, with which error, and what is limited."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest

from adapters.promql import PromqlEngine
from application.reading.promql import String
from application.reading.promql_errors import (
    BadData,
    ExecutionFailed,
    PromqlError,
    QueryTimedOut,
)
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Matcher, Owner, SelectedSeries
from tests.promql.evaluating import Evaluated


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("foo(x)", '1:1: parse error: unknown function with name "foo"'),
        ("info(x)", 'unknown function with name "info"'),
        ("1 + limit_ratio(0.5, x)", "1:5: parse error: limit_ratio.. is experimental"),
        ("x + fill(0) y", '1:5: parse error: unknown function with name "fill"'),
        ('x{a="b" or c="d"}', '1:9: parse error: unexpected identifier "or" in label matching'),
        (
            'x{a=~"("}',
            r"1:3: parse error: error parsing regexp: missing closing \): `\^\(\?s:\(\)\$`",
        ),
        ("rate(x)", '1:6: parse error: expected type range vector in call to function "rate", got'),
        ("rate(x[2*5m])", "1:9: parse error: unexpected <op:\\*> in subquery or range"),
        ("x[5m] anchored", '1:7: parse error: unexpected identifier "anchored"'),
        ("histogram_quantiles(x, 'q', 1)", "1:1: parse error: unknown function"),
        ("'ä' +\n é", "2:2: parse error: unexpected character: 'é'"),
        ("'ä' + é", "1:8: parse error: unexpected character: 'é'"),
        ("1h1y", '1:1: parse error: bad number or duration syntax: "1h1"'),
        ("x[30m1h]", '1:3: parse error: not a valid duration string: "30m1h"'),
        ("x[300y]", "1:3: parse error: duration out of range"),
        ("x @ 1e100", "1:1: parse error: timestamp out of bounds for @ modifier"),
        ("{}", "at least one non-empty matcher"),
        ("x[1e30]", "parse error"),
        ("", "no expression"),
        ("(" * 5000 + "x" + ")" * 5000, "more than 200 levels"),
        ("-" * 5000 + "x", "more than 200"),
        ("+".join(["x"] * 5000), "more than 200"),
        (" and ".join(["x"] * 5000), "more than 200"),
        ("x" * 200_000, "longer than"),
    ],
)
def test_bad_expressions(expression: str, message: str) -> None:
    with pytest.raises(BadData, match=message) as raised:
        Evaluated({}).instant(expression)
    assert str(raised.value).startswith('invalid parameter "query": ')
    assert raised.value.error_type == "bad_data"


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 95 + "x" + ")" * 95,
        "-" * 190 + "x",
        "+".join(["x"] * 190),
        "abs(" * 95 + "x" + ")" * 95,
        # Many operators, of which few are within each other.
        "+".join(["(" + "+".join(["x"] * 150) + ")"] * 40),
        "scalar(x) + clamp(x, " + "*".join(["1"] * 150) + ", " + "+".join(["1"] * 150) + ")",
        'x{a!="' + "(" * 5000 + '"} # ' + "+" * 5000,
    ],
)
def test_what_is_nested_less_is_evaluated(expression: str) -> None:
    assert len(Evaluated({"x": [1]}).vector(expression)) == 1


@pytest.mark.parametrize("expression", ["'text'", "x[5m]"])
def test_range_queries_need_a_vector_or_scalar(expression: str) -> None:
    assert Evaluated({}).instant("'text'") == String(0, "text")
    words = 'invalid parameter "query": invalid expression type "(string|range vector)" for range'
    with pytest.raises(BadData, match=words):
        Evaluated({}).range(expression, 0, 10, 10)


def test_a_range_needs_an_end_after_its_start_and_a_step() -> None:
    with pytest.raises(BadData, match="end timestamp must not be before start time"):
        Evaluated({}).range("1", 10, 0, 10)
    with pytest.raises(BadData, match="zero or negative query resolution step"):
        Evaluated({}).range("1", 0, 10, 0)


def test_a_range_query_has_at_most_11000_steps() -> None:
    assert len(Evaluated({}).range("1", 0, 11_000, 1)[""]) == 11_001
    with pytest.raises(BadData, match="exceeded maximum resolution of 11,000 points"):
        Evaluated({}).range("1", 0, 11_001, 1)


SERIES = {f'x{{a="{number}"}}': range(100) for number in range(10)}


@pytest.mark.parametrize(
    ("limit", "value", "message"),
    [
        ("series", 9, "too many series"),
        ("samples", 299, "too many samples into memory"),
        ("memory", 4_000, "too much memory"),
    ],
)
def test_what_a_query_may_use_is_limited(limit: str, value: int, message: str) -> None:
    assert len(Evaluated(SERIES).vector("x", 990)) == 10
    with pytest.raises(ExecutionFailed, match=message) as raised:
        Evaluated(SERIES, **{limit: value}).vector("x", 990)
    assert raised.value.error_type == "execution"


def test_matrices_need_memory_too() -> None:
    with pytest.raises(ExecutionFailed, match="too much memory"):
        Evaluated(SERIES, memory=100_000).range("x", 0, 10_000, 1)
    with pytest.raises(ExecutionFailed, match="too much memory"):
        Evaluated({}, memory=100_000).instant("max_over_time(vector(1)[1y:1s])")


def test_a_query_ends_at_its_deadline() -> None:
    ticks = count()
    budget = QueryBudget(QueryLimits(seconds=5), clock=lambda: float(next(ticks)))
    engine = PromqlEngine(_Nothing())
    with pytest.raises(QueryTimedOut, match="timed out") as raised:
        engine.instant(Owner("tests"), "1 + 2 + 3 + 4 + 5 + 6", 0, budget)
    assert raised.value.error_type == "timeout"


def test_each_range_of_a_selector_is_read_once() -> None:
    source = _Nothing()
    engine = PromqlEngine(source)
    engine.instant(Owner("tests"), "x / x + rate(x[5m]) - rate(x[5m])", 0, _budget())
    assert len(source.ranges) == 1
    engine.instant(Owner("tests"), "x offset 1s + x", 0, _budget())
    assert len(source.ranges) == 3


def test_only_the_needed_range_is_read() -> None:
    source = _Nothing()
    PromqlEngine(source).range(
        Owner("tests"), "rate(x[1m] offset 10s)", 60_000, 90_000, 5, _budget()
    )
    assert source.ranges == [(60_000 - 10_000 - 60_000 + 1, 90_000 - 10_000)]


def test_selectors_and_formatting() -> None:
    engine = PromqlEngine(_Nothing())
    first, second = engine.selector('up{job=~"a|b"}')
    assert (first.name, first.operator.value, first.value) == ("__name__", "=", "up")
    assert (second.name, second.operator.value, second.value) == ("job", "=~", "a|b")
    assert second.accepts("b")
    assert not second.accepts("ab")
    for text, place in (
        ("sum(up)", 4),
        ("up[5m]", 3),
        ("up offset 1m", 4),
        ("up @ 1", 4),
        ("1", 1),
    ):
        with pytest.raises(BadData, match=f"1:{place}: parse error: unexpected "):
            engine.selector(text)
    for text in ("{}", '{a=""}', '{a!="b", c=~".*"}'):
        with pytest.raises(BadData, match="at least one non-empty matcher"):
            engine.selector(text)
    assert engine.formatted("sum(rate(x[5m]))by(a)") == "sum by (a) (rate(x[5m]))"
    with pytest.raises(PromqlError):
        engine.formatted("sum(")


def _budget() -> QueryBudget:
    return QueryBudget(QueryLimits())


class _Nothing:
    """A source with an empty series of any selector; it remembers what was asked for."""

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []

    def select(
        self, owner: Owner, matchers: Sequence[Matcher], start: int, end: int, budget: QueryBudget
    ) -> SelectedSeries:
        self.ranges.append((start, end))
        times = np.zeros(0, np.int64).data
        return SelectedSeries(
            [{"__name__": "x"}], times, np.zeros(0).data, np.zeros(1, np.int64).data
        )

    def labels(self, *_: object) -> list[dict[str, str]]:
        return []

    def label_names(self, *_: object) -> list[str]:
        return []

    def label_values(self, *_: object) -> list[str]:
        return []
