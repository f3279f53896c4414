"""Matchers of labels, from those of the parsed selector."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import promql_parser

from adapters.promql.regex import InvalidPattern, compiled
from application.reading.promql_errors import BadData
from application.reading.series import NAME, Matcher, MatchOperator

_OPERATORS = {
    str(promql_parser.MatchOp.Equal): MatchOperator.EQUAL,
    str(promql_parser.MatchOp.NotEqual): MatchOperator.NOT_EQUAL,
    str(promql_parser.MatchOp.Re): MatchOperator.MATCHES,
    str(promql_parser.MatchOp.NotRe): MatchOperator.DOES_NOT_MATCH,
}


def matcher(name: str, operator: MatchOperator, value: str) -> Matcher:
    """Return a matcher with its test. Raises BadData for an invalid regular expression."""
    return Matcher(name, operator, value, _test(operator, value))


def selector_matchers(selector: promql_parser.VectorSelector) -> Sequence[Matcher]:
    """Return the matchers of a selector, that of its name among them. Raises BadData."""
    found = [
        matcher(one.name, _OPERATORS[str(one.op)], one.value) for one in selector.matchers.matchers
    ]
    if selector.name:
        found.insert(0, matcher(NAME, MatchOperator.EQUAL, selector.name))
    return found


def _test(operator: MatchOperator, value: str) -> Callable[[str], bool]:
    if operator is MatchOperator.EQUAL:
        return value.__eq__
    if operator is MatchOperator.NOT_EQUAL:
        return value.__ne__
    try:
        pattern = compiled(value)
    except InvalidPattern as error:
        raise BadData(f"error parsing regexp: {error}") from error
    if operator is MatchOperator.MATCHES:
        return pattern.matches
    return lambda text: not pattern.matches(text)
