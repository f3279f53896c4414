"""Regular expressions in RE2's syntax, which Prometheus uses.

RE2 takes time linear in the text's length; with Python's `re` one expression could stop a worker.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import re2

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False

_GO_WORDS = {
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid repetition size": "invalid repeat count",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
}

_REFERENCE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)


class InvalidPattern(Exception):
    """A text is not a regular expression."""


class Pattern:
    """A regular expression that has to match a whole text; `.` matches line ends as well."""

    def __init__(self, expression: str) -> None:
        """Raise InvalidPattern."""
        try:
            self._compiled: Any = re2.compile(f"(?s:{expression})", _OPTIONS)
        except re2.error as error:
            reason = error.args[0]
            raise InvalidPattern(
                _in_words_of_go(reason.decode() if isinstance(reason, bytes) else str(reason))
            ) from error

    def matches(self, text: str) -> bool:
        return self._compiled.fullmatch(text) is not None

    def expanded(self, text: str, template: str) -> str | None:
        """Return the template with its `$1`, `${1}` and `${name}` replaced, None if no match.

        References to groups that do not exist are replaced with nothing, and `$$` with `$`.
        """
        found = self._compiled.fullmatch(text)
        if found is None:
            return None
        names = self._compiled.groupindex

        def group(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            name = reference[2] or reference[3]
            number = int(name) if name.isdigit() else names.get(name, -1)
            return (found[number] or "") if 0 <= number <= self._compiled.groups else ""

        return _REFERENCE.sub(group, template)


def _in_words_of_go(reason: str) -> str:
    """Return RE2's reason as Go's library, which Prometheus uses, would give it.

    Both name the part that is wrong. Prometheus adds anchors to the expression.
    """
    problem, _, part = reason.partition(": ")
    if part.startswith("(?s:"):
        part = f"^{part}$"
    elif problem in ("missing ]", "invalid named capture group"):
        part += "$"
    return f"error parsing regexp: {_GO_WORDS.get(problem, problem)}: `{part}`"


@lru_cache(maxsize=1024)
def compiled(expression: str) -> Pattern:
    """Return the pattern, compiled once. Raises InvalidPattern."""
    return Pattern(expression)
