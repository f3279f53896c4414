"""Parsing expressions, and refusing what is not supported, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence

import promql_parser
from promql_parser import Expr

from adapters.promql.matchers import selector_matchers
from adapters.promql.registry import AGGREGATIONS, FUNCTIONS
from application.reading.promql_errors import BadData
from application.reading.series import Matcher

MAX_NESTING = 200
"""Operators, plus the depth of brackets, in one expression.

The parser and the evaluation call themselves for each; 150 fit into a stack of 512 KiB.
"""

MAX_LENGTH = 100_000
"""Characters of an expression."""

_NOT_NESTED = re.compile(
    r"""
    "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' | `[^`]*`  # strings
    | \#[^\n]*                                        # comments
    """,
    re.VERBOSE,
)
_MATCHERS = re.compile(r"\{[^{}]*\}")
_OPERATOR = re.compile(r"[-+*/%^]|[=<>!]+|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_BRACKET = re.compile(r"[()\[\]{}]")


def parsed(expression: str) -> Expr:
    """Return the tree of an expression. Raises BadData."""
    if len(expression) > MAX_LENGTH:
        raise BadData(f"the expression is longer than {MAX_LENGTH} characters")
    _check_nesting(expression)
    try:
        tree: Expr = promql_parser.parse(expression)
    except ValueError as error:
        raise BadData(f"parse error: {error}") from error
    except BaseException as error:
        # The parser panics on a few durations; PyO3's exception for that cannot be imported.
        if type(error).__module__ != "pyo3_runtime":
            raise
        raise BadData(f"parse error: {error}") from error
    promql_parser.walk(tree, _check)
    return tree


def selector(text: str) -> Sequence[Matcher]:
    """Return the matchers of an instant selector. Raises BadData."""
    tree = parsed(text)
    if (
        not isinstance(tree, promql_parser.VectorSelector)
        or tree.offset is not None
        or tree.at is not None
    ):
        raise BadData(f"parse error: expected an instant vector selector, got {text!r}")
    return selector_matchers(tree)


def _check_nesting(expression: str) -> None:
    """Refuse what could exhaust the parser's stack, which would end the process."""
    code = _MATCHERS.sub(" ", _NOT_NESTED.sub(" ", expression))
    depth = deepest = 0
    for bracket in _BRACKET.findall(code):
        depth += 1 if bracket in "([{" else -1
        deepest = max(deepest, depth)
    if deepest + len(_OPERATOR.findall(code)) > MAX_NESTING:
        raise BadData(f"the expression has more than {MAX_NESTING} operators and levels")


def _check(node: Expr) -> None:
    if isinstance(node, promql_parser.VectorSelector):
        if node.matchers.or_matchers:
            raise BadData('parse error: unexpected "or" in label matching')
        selector_matchers(node)
    elif isinstance(node, promql_parser.Call):
        if node.func.name not in FUNCTIONS:
            raise BadData(f'parse error: unknown function with name "{node.func.name}"')
    elif isinstance(node, promql_parser.AggregateExpr):
        if str(node.op) not in AGGREGATIONS:
            raise BadData(f'parse error: unknown aggregation with name "{node.op}"')
    elif isinstance(node, promql_parser.BinaryExpr):
        fill = node.modifier.fill_values if node.modifier else None
        if fill and (fill.lhs is not None or fill.rhs is not None):
            raise BadData('parse error: the modifier "fill" is not supported')
