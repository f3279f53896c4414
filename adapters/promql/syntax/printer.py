"""Expressions in their usual layout (`promql/parser/prettier.go` and `printer.go` of Prometheus 3).

What fits into a line stays in one; else each part has its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.promql.numbers import general
from adapters.promql.syntax.literals import duration_text
from adapters.promql.syntax.quoting import label_name, quoted
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
)
from application.reading.series import Matcher

LINE = 100
INDENT = "  "


def pretty(node: Expression, level: int = 0) -> str:
    """Return an expression in lines, each with at least `level` indents."""
    indent, short = INDENT * level, in_one_line(node)
    if len(short.encode()) <= LINE:
        # Prometheus does not indent a subquery that fits into a line.
        return short if isinstance(node, Subquery) else indent + short
    match node:
        case Aggregation():
            parts = (
                [node.expression] if node.parameter is None else [node.parameter, node.expression]
            )
            return f"{indent}{_head(node)}(\n{_list(parts, level)}\n{indent})"
        case Binary():
            left, right = pretty(node.left, level + 1), pretty(node.right, level + 1)
            return f"{left}\n{indent}{node.operator}{_matching(node)}\n{right}"
        case Call():
            return f"{indent}{node.name}(\n{_list(node.arguments, level)}\n{indent})"
        case Parentheses():
            return f"{indent}(\n{pretty(node.expression, level + 1)}\n{indent})"
        case Subquery():
            return pretty(node.expression, level) + _width(node) + _moment(node.offset, node.at)
        case Unary():
            return f"{indent}{node.operator}{pretty(node.expression, level).strip()}"
    return indent + short


def in_one_line(node: Expression) -> str:
    """Return an expression in one line."""
    match node:
        case NumberLiteral():
            if node.is_duration:
                sign = "-" if node.value < 0 else ""
                return sign + duration_text(round(abs(node.value) * 1000))
            return general(node.value)
        case StringLiteral():
            return quoted(node.value)
        case VectorSelector():
            return _selector(node) + _moment(node.offset, node.at)
        case MatrixSelector():
            inner = node.selector
            moment = _moment(inner.offset, inner.at)
            return f"{_selector(inner)}[{duration_text(node.range)}]{moment}"
        case Subquery():
            return in_one_line(node.expression) + _width(node) + _moment(node.offset, node.at)
        case Parentheses():
            return f"({in_one_line(node.expression)})"
        case Unary():
            return node.operator + in_one_line(node.expression)
        case Binary():
            left, right = in_one_line(node.left), in_one_line(node.right)
            return f"{left} {node.operator}{_matching(node)} {right}"
        case Aggregation():
            parts = (
                [node.expression] if node.parameter is None else [node.parameter, node.expression]
            )
            return f"{_head(node)}({', '.join(map(in_one_line, parts))})"
        case Call():
            return f"{node.name}({', '.join(map(in_one_line, node.arguments))})"


def _list(nodes: Iterable[Expression], level: int) -> str:
    return ",\n".join(pretty(node, level + 1) for node in nodes)


def _head(node: Aggregation) -> str:
    if node.without:
        return f"{node.operator} without ({_labels(node.labels)}) "
    return f"{node.operator} by ({_labels(node.labels)}) " if node.labels else node.operator


def _matching(node: Binary) -> str:
    text = " bool" if node.as_bool else ""
    if node.on or node.labels:
        text += f" {'on' if node.on else 'ignoring'} ({_labels(node.labels)})"
        if node.many:
            text += f" group_{node.many} ({_labels(node.included)})"
    return text


def _labels(names: Iterable[str]) -> str:
    return ", ".join(map(label_name, names))


def _selector(node: VectorSelector) -> str:
    if node.name:
        matchers = ",".join(sorted(map(_matcher, node.matchers[1:])))
        return f"{node.name}{{{matchers}}}" if matchers else node.name
    return f"{{{','.join(sorted(map(_matcher, node.matchers)))}}}"


def _matcher(matcher: Matcher) -> str:
    return f"{label_name(matcher.name)}{matcher.operator.value}{quoted(matcher.value)}"


def _width(node: Subquery) -> str:
    step = "" if node.step is None else duration_text(node.step)
    return f"[{duration_text(node.range)}:{step}]"


def _moment(offset: int, at: At | None) -> str:
    text = ""
    if at is not None:
        text = f" @ {at / 1000:.3f}" if isinstance(at, int) else f" @ {at}()"
    if offset:
        text += f" offset {'-' if offset < 0 else ''}{duration_text(abs(offset))}"
    return text
