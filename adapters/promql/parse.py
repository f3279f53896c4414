"""Parsing expressions and selectors, with errors for those who ask."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.promql import syntax
from adapters.promql.syntax.tree import Expression
from application.reading.promql_errors import BadData
from application.reading.series import Matcher

MAX_LENGTH = 100_000
"""Characters of an expression."""


def parsed(expression: str) -> Expression:
    """Return the tree of an expression. Raises BadData."""
    if len(expression) > MAX_LENGTH:
        raise BadData(f"the expression is longer than {MAX_LENGTH} characters")
    try:
        return syntax.parse(expression)
    except syntax.ParseError as error:
        raise BadData(error.described(expression)) from error


def selector(text: str) -> Sequence[Matcher]:
    """Return the matchers of an instant selector. Raises BadData."""
    try:
        matchers = syntax.parse_selector(text).matchers
    except syntax.ParseError as error:
        raise BadData(error.described(text)) from error
    if all(matcher.accepts("") for matcher in matchers):
        raise BadData("match[] must contain at least one non-empty matcher")
    return matchers
