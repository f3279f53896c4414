"""The parameters in the URL of a publish request."""

from __future__ import annotations

from collections.abc import Mapping

from adapters.http.url_text import url_text

_NONE: Mapping[str, str] = {}


def url_parameters(query_string: bytes) -> Mapping[str, str]:
    """Return the parameters by name; the last one of a name counts.

    Text that is not UTF-8 has U+FFFD in its place. Protocols have parameters that mean nothing
    here, so any name is allowed.
    """
    if not query_string:
        return _NONE
    pairs = [pair.partition(b"=") for pair in query_string.split(b"&") if pair]
    return {url_text(name): url_text(value) for name, _, value in pairs}
