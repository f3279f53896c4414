"""The grammar of PromQL (`promql/parser/generated_parser.y` of Prometheus 3).

Binary operators are parsed by precedence. The first error is raised that Prometheus would report,
and where it would: so tokens are read no earlier than there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from msgspec.structs import replace

from adapters.promql.matchers import matcher
from adapters.promql.numbers import general
from adapters.promql.regex import InvalidPattern
from adapters.promql.syntax import literals
from adapters.promql.syntax.checks import check
from adapters.promql.syntax.errors import ParseError
from adapters.promql.syntax.lexer import AGGREGATORS, KEYWORDS, WORD_OPERATORS, Lexer, Token
from adapters.promql.syntax.quoting import quoted, unquoted
from adapters.promql.syntax.signatures import SIGNATURES
from adapters.promql.syntax.tree import (
    Aggregation,
    At,
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
    depth,
)
from application.reading.series import NAME, Matcher, MatchOperator

MAX_NESTING = 200
"""Levels of a tree, and of operands within operands, where brackets count twice.

Parsing, checks and evaluation call themselves for each, up to 500 deep at this limit.
"""

NO_TIME = -(1 << 63)
"""The time (ms) of an `@` whose milliseconds do not fit into 64 bits, as in Prometheus on amd64."""

PRECEDENCE = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 3),
    **dict.fromkeys(("+", "-"), 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": 6,
}
SIGN_PRECEDENCE = 5
WITH_PARAMETER = frozenset(("bottomk", "count_values", "limitk", "quantile", "topk"))
REFUSED = frozenset(("limit_ratio",))
METRIC_WORDS = AGGREGATORS | {"and", "by", "end", "offset", "or", "start", "unless", "without"}
OPERAND_BEGINS = METRIC_WORDS | {"+", "-", "(", "{", "number", "duration", "string"}
OPERAND_BEGINS |= {"identifier", "metric identifier"}
LABEL_WORDS = (AGGREGATORS | WORD_OPERATORS | KEYWORDS | {"start", "end"}) - {"without"}
MATCH_OPERATORS = {one.value: one for one in MatchOperator}


def parse(text: str) -> Expression:
    """Return the tree of an expression. Raises ParseError."""
    parser = _Parser(text)
    tree = parser.whole()
    check(tree, text)
    return tree


def parse_selector(text: str) -> VectorSelector:
    """Return an instant selector without modifiers, which may match everything.

    Raises ParseError.
    """
    return _Parser(text).whole_selector()


class _Parser:
    def __init__(self, text: str) -> None:
        self._lexer = Lexer(text)
        self._ahead: Token | None = None
        self._aggregations = 0
        self._depth = 0

    def whole(self) -> Expression:
        if self._peek().kind == "end of input":
            raise ParseError(0, "no expression found in input")
        tree = self._expression()
        self._end()
        if depth(tree) > MAX_NESTING:
            raise _too_deep(0)
        return tree

    def whole_selector(self) -> VectorSelector:
        name = self._take_if("identifier", "metric identifier", *METRIC_WORDS)
        if name is None and self._peek().kind != "{":
            raise self._unexpected()
        selector = self._selector(name)
        self._end()
        return selector

    def _end(self) -> None:
        if self._peek().kind != "end of input":
            raise self._unexpected()

    # Tokens

    def _peek(self) -> Token:
        if self._ahead is None:
            self._ahead = self._lexer.next()
        return self._ahead

    def _take(self) -> Token:
        token = self._peek()
        self._ahead = None
        return token

    def _take_if(self, *kinds: str) -> Token | None:
        return self._take() if self._peek().kind in kinds else None

    def _unexpected(self, context: str = "", expected: str = "") -> ParseError:
        token = self._peek()
        if not context and self._aggregations:
            context = "aggregation"
        reason = f"unexpected {token.described()}"
        reason += f" in {context}" if context else ""
        reason += f", expected {expected}" if expected else ""
        return ParseError(token.start, reason)

    def _begins_operand(self) -> bool:
        return self._peek().kind in OPERAND_BEGINS

    def _closing(self, kind: str) -> Token:
        token = self._take_if(kind)
        if token is None:
            raise self._unexpected()
        return token

    # Operators

    def _expression(self, lowest: int = 1) -> Expression:
        left = self._operand()
        while (precedence := PRECEDENCE.get(self._peek().kind, 0)) >= lowest:
            operator = self._take().kind
            modifier = self._modifier()
            with self._deeper(1):
                right = self._expression(precedence if operator == "^" else precedence + 1)
            left = modifier(operator, left, right)
        return left

    @contextmanager
    def _deeper(self, levels: int) -> Iterator[None]:
        self._depth += levels
        if self._depth > MAX_NESTING:
            raise _too_deep(self._peek().start)
        yield
        self._depth -= levels

    def _modifier(self) -> Callable[[str, Expression, Expression], Binary]:
        as_bool = self._take_if("bool") is not None
        kind = self._take_if("on", "ignoring")
        labels: tuple[str, ...] = ()
        included: tuple[str, ...] = ()
        many: Literal["left", "right"] | None = None
        if kind:
            labels = self._grouping_labels()
            if group := self._take_if("group_left", "group_right"):
                many = "left" if group.kind == "group_left" else "right"
                if self._peek().kind == "(" or not self._begins_operand():
                    included = self._grouping_labels()
        on = kind is not None and kind.kind == "on"

        def binary(operator: str, left: Expression, right: Expression) -> Binary:
            return Binary(
                left.start, right.end, operator, left, right, as_bool, on, labels, many, included
            )

        return binary

    def _operand(self) -> Expression:
        sign = self._take_if("+", "-")
        if sign is None:
            return self._with_suffixes(self._primary())
        with self._deeper(1):
            inner = self._expression(SIGN_PRECEDENCE + 1)
        if isinstance(inner, NumberLiteral):
            value = -inner.value if sign.kind == "-" else inner.value
            return replace(inner, start=sign.start, value=value)
        return Unary(sign.start, inner.end, sign.kind, inner)

    # Operands

    def _primary(self) -> Expression:
        token = self._peek()
        match token.kind:
            case "number" | "duration":
                return self._number()
            case "string":
                self._take()
                return StringLiteral(token.start, token.end, unquoted(token.text))
            case "(":
                return self._parentheses()
            case "{":
                return self._selector(None)
        self._take()
        if token.kind in AGGREGATORS and self._peek().kind in ("(", "by", "without"):
            return self._aggregation(token)
        if token.kind == "identifier" and self._peek().kind == "(":
            return self._call(token)
        if token.kind in ("identifier", "metric identifier") or token.kind in METRIC_WORDS:
            return self._selector(token)
        self._ahead = token
        raise self._unexpected()

    def _number(self) -> NumberLiteral:
        token = self._take()
        try:
            if token.kind == "duration":
                value = literals.duration(token.text) / 1000
            else:
                value = literals.number(token.text)
        except ValueError as error:
            reason = str(error) if token.kind == "duration" else f"error parsing number: {error}"
            raise ParseError(token.start, reason) from None
        return NumberLiteral(token.start, token.end, value, token.kind == "duration")

    def _parentheses(self) -> Parentheses:
        with self._deeper(2):
            opening = self._take()
            inner = self._expression()
            closing = self._closing(")")
        return Parentheses(opening.start, closing.end, inner)

    def _arguments(self) -> tuple[tuple[Expression, ...], Token]:
        """Return arguments, and the closing parenthesis."""
        found: list[Expression] = []
        with self._deeper(2):
            self._take()
            if self._peek().kind != ")":
                found.append(self._expression())
                while comma := self._take_if(","):
                    if not self._begins_operand():
                        raise ParseError(
                            comma.start, "trailing commas not allowed in function call args"
                        )
                    found.append(self._expression())
            closing = self._closing(")")
        return tuple(found), closing

    def _call(self, name: Token) -> Call:
        arguments, closing = self._arguments()
        if name.text not in SIGNATURES:
            raise ParseError(name.start, f"unknown function with name {quoted(name.text)}")
        return Call(name.start, closing.end, name.text, arguments)

    def _aggregation(self, operator: Token) -> Aggregation:
        self._aggregations += 1
        clause = self._take_if("by", "without")
        labels = self._grouping_labels() if clause else ()
        if self._peek().kind != "(":
            raise self._unexpected()
        arguments, closing = self._arguments()
        self._aggregations -= 1
        end = closing.end
        if clause is None and (clause := self._take_if("by", "without")):
            labels = self._grouping_labels()
        name = operator.kind
        if not arguments:
            raise ParseError(operator.start, "no arguments for aggregate expression provided")
        if name in REFUSED:
            raise ParseError(operator.start, f"{name}() is experimental and not supported")
        wanted = 2 if name in WITH_PARAMETER else 1
        if len(arguments) != wanted:
            raise ParseError(
                operator.start,
                "wrong number of arguments for aggregate expression provided, "
                f"expected {wanted}, got {len(arguments)}",
            )
        parameter = arguments[0] if wanted == 2 else None
        without = clause is not None and clause.kind == "without"
        return Aggregation(operator.start, end, name, arguments[-1], parameter, labels, without)

    def _grouping_labels(self) -> tuple[str, ...]:
        if not self._take_if("("):
            raise self._unexpected("grouping opts", '"("')
        labels: list[str] = []
        while not self._take_if(")"):
            if labels and not self._take_if(","):
                raise self._unexpected("grouping opts", '"," or ")"')
            if labels and self._take_if(")"):
                break
            labels.append(self._grouping_label())
        return tuple(labels)

    def _grouping_label(self) -> str:
        token = self._peek()
        if token.kind == "string":
            name = unquoted(self._take().text)
            if not name:
                raise ParseError(token.start, f"invalid label name for grouping: {quoted(name)}")
            return name
        if token.kind != "identifier" and token.kind not in LABEL_WORDS:
            raise self._unexpected("grouping opts", "label")
        return self._take().text

    # Selectors

    def _selector(self, name: Token | None) -> VectorSelector:
        matchers: list[Matcher] = []
        start, end = (name.start, name.end) if name else (self._peek().start, 0)
        if name:
            matchers.append(matcher(NAME, MatchOperator.EQUAL, name.text))
        if name is None or self._peek().kind == "{":
            self._take()
            while not (closing := self._take_if("}")):
                matchers.append(self._matcher())
                if self._peek().kind not in (",", "}"):
                    raise self._unexpected("label matching", '"," or "}"')
                self._take_if(",")
            end = closing.end
        return VectorSelector(start, end, name.text if name else "", tuple(matchers))

    def _matcher(self) -> Matcher:
        label = self._take_if("identifier", "string")
        if label is None:
            raise self._unexpected("label matching", 'identifier or "}"')
        name = unquoted(label.text) if label.kind == "string" else label.text
        if label.kind == "string" and self._peek().kind not in MATCH_OPERATORS:
            return matcher(NAME, MatchOperator.EQUAL, name)
        operator = self._take_if(*MATCH_OPERATORS)
        if operator is None:
            raise self._unexpected("label matching", "label matching operator")
        value = self._take_if("string")
        if value is None:
            raise self._unexpected("label matching", "string")
        try:
            return matcher(name, MATCH_OPERATORS[operator.kind], unquoted(value.text))
        except InvalidPattern as error:
            raise ParseError(label.start, str(error)) from None

    # What may follow an operand

    def _with_suffixes(self, node: Expression) -> Expression:
        while True:
            match self._peek().kind:
                case "[":
                    node = self._range(node)
                case "offset":
                    node = self._offset(node)
                case "@":
                    node = self._at(node)
                case _:
                    return node

    def _range(self, node: Expression) -> Expression:
        bracket = self._take()
        width = self._width("subquery selector", "number or duration")
        if closing := self._take_if("]"):
            reason = ""
            if not isinstance(node, VectorSelector):
                reason = "ranges only allowed for vector selectors"
            elif node.offset:
                reason = "no offset modifiers allowed before range"
            elif node.at is not None:
                reason = "no @ modifiers allowed before range"
            if reason or not isinstance(node, VectorSelector):
                raise ParseError(bracket.start, reason)
            return MatrixSelector(node.start, closing.end, node, width)
        if not self._take_if(":"):
            raise self._unexpected("subquery or range", '":" or "]"')
        step = None
        if self._peek().kind != "]":
            step = self._width("subquery selector", 'number or duration or "]"')
        closing = self._take_if("]")
        if closing is None:
            raise self._unexpected("subquery selector", '"]"')
        return Subquery(node.start, closing.end, node, width, step)

    def _width(self, context: str, expected: str) -> int:
        if self._peek().kind not in ("number", "duration"):
            raise self._unexpected(context, expected)
        literal = self._number()
        if literal.value <= 0:
            raise ParseError(literal.start, "duration must be greater than 0")
        return self._milliseconds(literal)

    def _milliseconds(self, literal: NumberLiteral) -> int:
        if not abs(literal.value) < literals.LONGEST / 1000:
            raise ParseError(literal.start, "duration out of range")
        return int(literal.value * 1000)

    def _offset(self, node: Expression) -> Expression:
        self._take()
        sign = -1 if self._take_if("-") else 1
        if self._peek().kind not in ("number", "duration"):
            raise self._unexpected("offset", "number or duration")
        literal = self._number()
        offset = sign * self._milliseconds(literal)
        target = node.selector if isinstance(node, MatrixSelector) else node
        if not isinstance(target, VectorSelector | Subquery):
            raise ParseError(
                node.start,
                "offset modifier must be preceded by an instant vector selector or range vector "
                "selector or a subquery",
            )
        if target.offset:
            raise ParseError(node.start, "offset may not be set multiple times")
        return _changed(node, literal.end, offset=offset)

    def _at(self, node: Expression) -> Expression:
        self._take()
        at, end = self._moment(node)
        target = node.selector if isinstance(node, MatrixSelector) else node
        if not isinstance(target, VectorSelector | Subquery):
            raise ParseError(
                node.start,
                "@ modifier must be preceded by an instant vector selector or range vector "
                "selector or a subquery",
            )
        if target.at is not None:
            raise ParseError(node.start, "@ <timestamp> may not be set multiple times")
        return _changed(node, end, at=at)

    def _moment(self, node: Expression) -> tuple[At, int]:
        """Return what follows an `@`, and where it ends."""
        if word := self._take_if("start", "end"):
            opening = self._take_if("(")
            closing = opening and self._take_if(")")
            if closing is None:
                raise self._unexpected("@", "timestamp")
            return ("start" if word.kind == "start" else "end"), closing.end
        sign = self._take_if("+", "-")
        if self._peek().kind not in ("number", "duration"):
            raise self._unexpected("@", "timestamp")
        literal = self._number()
        seconds = -literal.value if sign and sign.kind == "-" else literal.value
        if not abs(seconds) < 2.0**63:
            raise ParseError(
                node.start, f"timestamp out of bounds for @ modifier: {_fixed(seconds)}"
            )
        at = round(seconds * 1000)
        return (at if -NO_TIME > at > NO_TIME else NO_TIME), literal.end


def _changed(
    node: Expression, end: int, *, offset: int | None = None, at: At | None = None
) -> Expression:
    changes: dict[str, object] = {"offset": offset} if at is None else {"at": at}
    if isinstance(node, MatrixSelector):
        return replace(node, end=end, selector=replace(node.selector, **changes))
    return replace(node, end=end, **changes)


def _fixed(number: float) -> str:
    """Return a number as `%f` of Go writes it."""
    return f"{number:f}" if math.isfinite(number) else general(number)


def _too_deep(place: int) -> ParseError:
    return ParseError(place, f"the expression has more than {MAX_NESTING} levels")
