"""Parsing expressions, and refusing what is not supported, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import promql_parser
from msgspec import Struct
from promql_parser import Expr

from adapters.promql.matchers import selector_matchers
from adapters.promql.registry import AGGREGATIONS, FUNCTIONS
from application.reading.promql_errors import BadData
from application.reading.series import Matcher

MAX_NESTING = 200
"""Operators and brackets that can be within each other in an expression.

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
_NESTING = re.compile(
    r"(?P<operator>[-+*/%^]|[=<>!]+|\b(?:and|or|unless|atan2)\b)|(?P<open>[(\[{])|(?P<close>[)\]}])|,",
    re.IGNORECASE,
)


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
    for node in _nodes(tree):
        _check(node)
    return tree


def _nodes(tree: Expr) -> Iterator[Expr]:
    """Yield all nodes. The parser's own `walk` converts each subtree once more for each node."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        match node:
            case promql_parser.BinaryExpr():
                left += (node.lhs, node.rhs)
            case promql_parser.AggregateExpr():
                left += (node.expr,) if node.param is None else (node.expr, node.param)
            case promql_parser.Call():
                left += node.args
            case promql_parser.MatrixSelector():
                left.append(node.vector_selector)
            case (
                promql_parser.ParenExpr() | promql_parser.UnaryExpr() | promql_parser.SubqueryExpr()
            ):
                left.append(node.expr)


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
    if _nesting(code) > MAX_NESTING:
        raise BadData(f"the expression has more than {MAX_NESTING} operators and levels")


def _nesting(code: str) -> int:
    """Return how deep an expression's tree can be at most.

    The operators between two brackets or commas may all be within each other, as in `1 + 2 + 3`.
    What is in one pair of brackets is not within what is in another.
    """
    levels = [_Level()]
    for token in _NESTING.finditer(code):
        level = levels[-1]
        if token["operator"]:
            level.operators += 1
        elif token["open"]:
            levels.append(_Level())
        elif token["close"] and len(levels) > 1:
            levels.pop()
            levels[-1].within = max(levels[-1].within, 1 + level.ended())
        else:
            level.start_part()
    depth = 0
    for level in reversed(levels):  # brackets that are still open
        level.within = max(level.within, depth)
        depth = 1 + level.ended()
    return depth - 1


class _Level(Struct):
    """A pair of brackets: operators since the last comma, and the deepest within them."""

    operators: int = 0
    within: int = 0
    deepest: int = 0

    def start_part(self) -> None:
        self.deepest = self.ended()
        self.operators = self.within = 0

    def ended(self) -> int:
        """Return the depth of all parts."""
        return max(self.deepest, self.operators + self.within)


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
