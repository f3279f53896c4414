"""A request's header fields by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DIGITS = 19
"""Digits of a length that are looked at: more stand for more than any limit."""


def content_length(fields: Mapping[bytes, bytes]) -> int:
    """Return the length that a body declares, 0 where it does not declare a whole number."""
    # The digits of bytes are ASCII's.
    length = fields.get(b"content-length", b"").lstrip(b"0")
    return int(length[:DIGITS]) if length.isdigit() else 0


def header_fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return fields by their names in lower case, as ASGI has them.

    The lines of a field that comes more than once are one list, by RFC 9110: no line of two is
    believed rather than the other.
    """
    headers = list(headers)
    found = dict(headers)
    if len(found) != len(headers):
        found = {}
        for name, value in headers:
            found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found
