"""A request's header fields by name."""

from __future__ import annotations

from collections.abc import Iterable


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
