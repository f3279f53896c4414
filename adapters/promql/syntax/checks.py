"""What a tree must satisfy beyond the grammar (`checkAST` of Prometheus 3)."""

from __future__ import annotations

from adapters.promql.syntax.errors import ParseError
from adapters.promql.syntax.quoting import quoted
from adapters.promql.syntax.signatures import SIGNATURES, Type, type_of
from adapters.promql.syntax.tree import (
    Aggregation,
    Binary,
    Call,
    Expression,
    MatrixSelector,
    Parentheses,
    Subquery,
    Unary,
    VectorSelector,
)
from application.reading.series import NAME

COMPARISONS = frozenset(("==", "!=", "<", "<=", ">", ">="))
SETS = frozenset(("and", "or", "unless"))
NUMERIC: tuple[Type, ...] = ("scalar", "instant vector")


def check(node: Expression, text: str) -> None:
    """Raise ParseError for the first thing that is wrong with a tree of this text."""
    match node:
        case Aggregation():
            _check_aggregation(node, text)
        case Binary():
            _check_binary(node, text)
        case Call():
            _check_call(node, text)
        case Parentheses():
            check(node.expression, text)
        case Unary():
            check(node.expression, text)
            if (found := type_of(node.expression)) not in NUMERIC:
                raise ParseError(
                    node.start,
                    "unary expression only allowed on expressions of type scalar or instant "
                    f"vector, got {quoted(found)}",
                )
        case Subquery():
            check(node.expression, text)
            if (found := type_of(node.expression)) != "instant vector":
                short = "matrix" if found == "range vector" else found
                raise ParseError(
                    node.start, f"subquery is only allowed on instant vector, got {short} instead"
                )
        case MatrixSelector():
            check(node.selector, text)
        case VectorSelector():
            _check_selector(node)


def _check_aggregation(node: Aggregation, text: str) -> None:
    _expect(node.expression, "instant vector", "aggregation expression", text)
    if node.parameter is not None:
        wanted: Type = "string" if node.operator == "count_values" else "scalar"
        _expect(node.parameter, wanted, "aggregation parameter", text)


def _check_call(node: Call, text: str) -> None:
    signature = SIGNATURES[node.name]
    given, most = len(node.arguments), len(signature.arguments)
    least = most - signature.optional
    bound, limit = "", most
    if signature.optional:
        bound, limit = ("at least ", least) if given < least else ("at most ", most)
    if given < least or (signature.most is not None and given > most):
        raise ParseError(
            node.start,
            f"expected {bound}{limit} argument(s) in call to {quoted(node.name)}, got {given}",
        )
    for place, argument in enumerate(node.arguments):
        wanted = signature.arguments[min(place, most - 1)]
        _expect(argument, wanted, f"call to function {quoted(node.name)}", text)


def _expect(node: Expression, wanted: Type, context: str, text: str) -> None:
    check(node, text)
    if (found := type_of(node)) != wanted:
        raise ParseError(node.start, f"expected type {wanted} in {context}, got {found}")


def _check_binary(node: Binary, text: str) -> None:
    check(node.left, text)
    check(node.right, text)
    left, right = type_of(node.left), type_of(node.right)
    operator = node.operator
    place = node.left.end
    while text[place : place + 1].isspace():
        place += 1
    if node.as_bool and operator not in COMPARISONS:
        raise ParseError(place, "bool modifier can only be used on comparison operators")
    if operator in COMPARISONS and not node.as_bool and left == right == "scalar":
        raise ParseError(place, "comparisons between scalars must use BOOL modifier")
    for label in node.labels if node.on else ():
        if label in node.included:
            raise ParseError(
                place, f"label {quoted(label)} must not occur in ON and GROUP clause at once"
            )
    for side, found in ((node.left, left), (node.right, right)):
        if found not in NUMERIC:
            raise ParseError(
                side.start, "binary expression must contain only scalar and instant vector types"
            )
    if left == right == "instant vector":
        if operator in SETS and node.many is not None:
            raise ParseError(node.start, f"no grouping allowed for {quoted(operator)} operation")
        return
    if node.labels:
        raise ParseError(node.start, "vector matching only allowed between instant vectors")
    if operator in SETS:
        raise ParseError(
            node.start, f"set operator {quoted(operator)} not allowed in binary scalar expression"
        )


def _check_selector(node: VectorSelector) -> None:
    if node.name:
        for matcher in node.matchers[1:]:
            if matcher.name == NAME:
                raise ParseError(
                    node.start,
                    "metric name must not be set twice: "
                    f"{quoted(node.name)} or {quoted(matcher.value)}",
                )
    elif all(matcher.accepts("") for matcher in node.matchers):
        raise ParseError(node.start, "vector selector must contain at least one non-empty matcher")
