"""Text in SQL statements."""

from __future__ import annotations


def quoted(text: str) -> str:
    """Return text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
