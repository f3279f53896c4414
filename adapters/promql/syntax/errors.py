"""Errors of parsing, with their positions."""

from __future__ import annotations


class ParseError(Exception):
    """An expression is invalid; `position` is a place in its text."""

    def __init__(self, position: int, reason: str) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason

    def described(self, text: str) -> str:
        """Return the error as Prometheus words it."""
        return f"{line_and_column(text, self.position)}: parse error: {self.reason}"


def line_and_column(text: str, position: int) -> str:
    """Return a place in a text as `line:column`, from 1 on; columns are bytes of UTF-8."""
    before = text[:position].encode("utf-8", "replace")
    return f"{before.count(10) + 1}:{len(before) - before.rfind(10)}"
