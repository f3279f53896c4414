"""Text in the query of a URL."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes


def url_text(encoded: bytes, errors: str = "replace") -> str:
    """Return a name or a value as text; `errors` is what to do about bytes that are not UTF-8."""
    return unquote_to_bytes(encoded.replace(b"+", b" ")).decode("utf-8", errors)
