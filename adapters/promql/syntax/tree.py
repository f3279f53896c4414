"""Trees of expressions. `start` and `end` are places in the text; durations and times are in ms."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from application.reading.series import Matcher


class NumberLiteral(Struct, frozen=True):
    """A number, or a duration in seconds."""

    start: int
    end: int
    value: float
    is_duration: bool = False


class StringLiteral(Struct, frozen=True):
    """A text, without its quotes."""

    start: int
    end: int
    value: str


At: TypeAlias = int | Literal["start", "end"]
"""A fixed time, or the start or end of the query."""


class VectorSelector(Struct, frozen=True):
    """A selector of series. `name` is that before the braces, which is among `matchers` as well."""

    start: int
    end: int
    name: str
    matchers: tuple[Matcher, ...]
    offset: int = 0
    at: At | None = None


class MatrixSelector(Struct, frozen=True):
    """A selector of ranges. `range` is their width."""

    start: int
    end: int
    selector: VectorSelector
    range: int


class Subquery(Struct, frozen=True):
    """An expression's values in a range; without `step`, the steps have the default width."""

    start: int
    end: int
    expression: Expression
    range: int
    step: int | None
    offset: int = 0
    at: At | None = None


class Parentheses(Struct, frozen=True):
    """An expression in parentheses."""

    start: int
    end: int
    expression: Expression


class Unary(Struct, frozen=True):
    """An expression with a sign; a literal number includes its sign."""

    start: int
    end: int
    operator: str
    expression: Expression


class Binary(Struct, frozen=True):
    """An operator between two expressions.

    Labels to match are those `on` the list, or all but the `labels`. `many` is the side that may
    have several series per match, and `included` are labels taken from the other one.
    """

    start: int
    end: int
    operator: str
    left: Expression
    right: Expression
    as_bool: bool = False
    on: bool = False
    labels: tuple[str, ...] = ()
    many: Literal["left", "right"] | None = None
    included: tuple[str, ...] = ()


class Aggregation(Struct, frozen=True):
    """An aggregation `by` labels, or `without` them."""

    start: int
    end: int
    operator: str
    expression: Expression
    parameter: Expression | None
    labels: tuple[str, ...] = ()
    without: bool = False


class Call(Struct, frozen=True):
    """A function's call."""

    start: int
    end: int
    name: str
    arguments: tuple[Expression, ...]


Expression: TypeAlias = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Parentheses
    | Unary
    | Binary
    | Aggregation
    | Call
)


def unwrapped(node: Expression) -> Expression:
    """Return what parentheses contain."""
    while isinstance(node, Parentheses):
        node = node.expression
    return node


def children(node: Expression) -> tuple[Expression, ...]:
    """Return the expressions that a node consists of."""
    match node:
        case Binary():
            return node.left, node.right
        case Call():
            return node.arguments
        case Aggregation(parameter=None) | Parentheses() | Unary() | Subquery():
            return (node.expression,)
        case Aggregation(parameter=parameter) if parameter is not None:
            return parameter, node.expression
        case MatrixSelector():
            return (node.selector,)
    return ()


def depth(tree: Expression) -> int:
    """Return the number of nodes from the tree's root to its deepest leaf."""
    deepest, rest = 0, [(tree, 1)]
    while rest:
        node, level = rest.pop()
        deepest = max(deepest, level)
        rest.extend((child, level + 1) for child in children(node))
    return deepest
