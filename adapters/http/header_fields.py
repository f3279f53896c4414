"""A request's header fields by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

MAX_DIGITS = 19
"""Digits of a length that are read. A longer number is cut, and still exceeds every limit."""


def content_length(fields: Mapping[bytes, bytes]) -> int:
    """Return the declared length of a body, 0 if it is not a whole number."""
    # isdigit() of bytes accepts ASCII digits only.
    length = fields.get(b"content-length", b"").lstrip(b"0")
    return int(length[:MAX_DIGITS]) if length.isdigit() else 0


def header_fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the fields by name, which ASGI has in lower case.

    Several lines of one field are joined to a list (RFC 9110), so that none of them overrides
    another. Whitespace around a line's value is no part of it (section 5.5); httptools keeps what
    follows it.
    """
    headers = [(name, value.strip(b" \t")) for name, value in headers]
    found = dict(headers)
    if len(found) != len(headers):
        found = {}
        for name, value in headers:
            found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found
