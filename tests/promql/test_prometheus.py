"""The answers to our own expressions are those of a real Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.promql.operators import ARITHMETIC, COMPARISONS
from adapters.promql.registry import AGGREGATIONS, FUNCTIONS
from adapters.promql.syntax import ParseError, parse
from adapters.promql.syntax.checks import SETS
from adapters.promql.syntax.signatures import SIGNATURES
from adapters.promql.syntax.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    MatrixSelector,
    NumberLiteral,
    Parentheses,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
    children,
)
from application.reading.series import MatchOperator
from tests.promql.compare import expressions_of, series_for
from tests.promql.comparison import Comparer, Verdict
from tests.promql.prometheus import PrometheusMissing, prometheus_with

EXPRESSIONS = expressions_of(Path(__file__).with_name("expressions.txt"))

NEWER = {name for name in FUNCTIONS if name.startswith(("sort_by_label", "ts_of_"))}
NEWER |= {"first_over_time", "mad_over_time", "limitk"}
"""Functions and aggregations that Debian's Prometheus does not have."""

NATIVE = {name for name in FUNCTIONS if name.startswith("histogram_")} - {"histogram_quantile"}


@pytest.fixture(scope="module")
def comparer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Comparer]:
    series = series_for(EXPRESSIONS)
    try:
        with prometheus_with(series, tmp_path_factory.mktemp("prometheus")) as prometheus:
            yield Comparer(prometheus, series)
    except PrometheusMissing as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_both_answer_alike(comparer: Comparer, expression: str) -> None:
    found = comparer.compare(expression)
    assert found.verdict is not Verdict.DIFFERENT, found.details


def test_there_is_an_expression_for_everything() -> None:
    used = {word for tree in _trees() for node in _nodes(tree) for word in _constructs(node)}
    wanted = {*AGGREGATIONS, *FUNCTIONS, *ARITHMETIC, *COMPARISONS, *SETS}
    wanted |= {f"{operator} bool" for operator in COMPARISONS}
    wanted |= {one.value for one in MatchOperator}
    wanted |= {"by", "without", "on", "ignoring", "group_left", "group_right", "group_left(x)"}
    wanted |= {"offset", "negative offset", "@ start", "@ end", "@", "sign +", "sign -"}
    wanted |= {"number", "string", "subquery", "subquery with step", "range", "parentheses"}
    assert wanted - used <= NEWER | NATIVE


def _trees() -> Iterator[Expression]:
    for expression in EXPRESSIONS:
        with suppress(ParseError):
            yield parse(expression)


def _nodes(tree: Expression) -> Iterator[Expression]:
    yield tree
    for child in children(tree):
        yield from _nodes(child)


def _constructs(node: Expression) -> Iterator[str]:
    """Yield what a node uses, by names as in the test above."""
    match node:
        case Call():
            yield node.name
        case Aggregation():
            yield node.operator
            yield "without" if node.without else "by" if node.labels else ""
        case Binary():
            yield f"{node.operator} bool" if node.as_bool else node.operator
            yield "on" if node.on else "ignoring" if node.labels else ""
            yield f"group_{node.many}"
            yield f"group_{node.many}(x)" if node.included else ""
        case Unary():
            yield f"sign {node.operator}"
        case VectorSelector():
            yield from (matcher.operator.value for matcher in node.matchers)
        case MatrixSelector():
            yield "range"
        case Subquery():
            yield "subquery" if node.step is None else "subquery with step"
        case Parentheses():
            yield "parentheses"
        case NumberLiteral():
            yield "number"
        case StringLiteral():
            yield "string"
    if isinstance(node, VectorSelector | Subquery):
        yield "negative offset" if node.offset < 0 else "offset" if node.offset else ""
        yield f"@ {node.at}" if isinstance(node.at, str) else "" if node.at is None else "@"


def test_every_function_has_a_signature() -> None:
    assert set(SIGNATURES) == set(FUNCTIONS)
