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
                reason.decode() if isinstance(reason, bytes) else str(reason)
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


@lru_cache(maxsize=1024)
def compiled(expression: str) -> Pattern:
    """Return the pattern, compiled once. Raises InvalidPattern."""
    return Pattern(expression)
