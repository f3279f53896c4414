"""Parsing expressions and selectors, with errors for those who ask."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from adapters.promql import syntax
from adapters.promql.syntax.tree import Expression
from application.reading.promql_errors import BadData
from application.reading.series import Matcher

MAX_LENGTH = 100_000
"""Characters of an expression."""

REMEMBERED = 256
MAX_REMEMBERED = 2000
"""Trees that are kept, and the length of the longest expression of one: at most some 25 MB."""


def parsed(expression: str) -> Expression:
    """Return the tree of an expression. Raises BadData."""
    if len(expression) > MAX_LENGTH:
        raise BadData(f"the expression is longer than {MAX_LENGTH} characters")
    return (_remembered if len(expression) <= MAX_REMEMBERED else _parsed)(expression)


def _parsed(expression: str) -> Expression:
    try:
        return syntax.parse(expression)
    except syntax.ParseError as error:
        raise BadData(error.described(expression)) from error


# Dashboards ask for the same expressions again and again, and parsing takes as long as evaluating
# a few series. Trees are immutable.
_remembered = lru_cache(REMEMBERED)(_parsed)


def selector(text: str) -> Sequence[Matcher]:
    """Return the matchers of an instant selector. Raises BadData."""
    try:
        matchers = syntax.parse_selector(text).matchers
    except syntax.ParseError as error:
        raise BadData(error.described(text)) from error
    if all(matcher.accepts("") for matcher in matchers):
        raise BadData("match[] must contain at least one non-empty matcher")
    return matchers
