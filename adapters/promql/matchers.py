"""Matchers of labels, with their tests."""

from __future__ import annotations

from collections.abc import Callable

from adapters.promql.regex import compiled
from application.reading.series import Matcher, MatchOperator


def matcher(name: str, operator: MatchOperator, value: str) -> Matcher:
    """Return a matcher with its test. Raises InvalidPattern for a regular expression."""
    return Matcher(name, operator, value, _test(operator, value))


def _test(operator: MatchOperator, value: str) -> Callable[[str], bool]:
    if operator is MatchOperator.EQUAL:
        return value.__eq__
    if operator is MatchOperator.NOT_EQUAL:
        return value.__ne__
    pattern = compiled(value)
    if operator is MatchOperator.MATCHES:
        return pattern.matches
    return lambda text: not pattern.matches(text)
