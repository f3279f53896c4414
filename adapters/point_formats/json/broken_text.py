"""JSON with strings that are not Unicode: half a surrogate pair, or bytes that are not UTF-8.

The decoder refuses such a body as a whole. To report the field instead, each such place is
replaced by a character that the body does not contain, and what is decoded gets it back as a
surrogate, which the domain's rules refuse.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

SURROGATE = "\udcff"
"""What stands in a decoded string for anything that was not Unicode."""

_CANDIDATES = range(0xE000, 0xF900)  # the private use area

_escapes = re.compile(
    r"""
    \\u[dD][89abAB][0-9a-fA-F]{2} \\u[dD][c-fC-F][0-9a-fA-F]{2}  # a pair: one character
    | (?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})
    | \\.                                                         # so that \\u is no escape
    """,
    re.VERBOSE | re.DOTALL,
)


class BrokenText:
    """A body made readable: `json` with `mark` in every place that is not Unicode."""

    def __init__(self, json: bytes, mark: str) -> None:
        self.json = json
        self._mark = mark

    def restored(self, value: Any) -> Any:
        """Return a decoded value with a surrogate in each of those places."""
        match value:
            case str():
                return value.replace(self._mark, SURROGATE)
            case list():
                return [*map(self.restored, value)]
            case dict():
                return {self.restored(name): self.restored(v) for name, v in value.items()}
            case _:
                return value


def readable(body: bytes) -> BrokenText | None:
    """Return a body with its broken text replaced, None if that is not what is wrong with it."""
    # The error handler leaves one lone surrogate per byte that is not UTF-8.
    text = body.decode("utf-8", "surrogateescape")
    lowered = text.lower()
    mark = next(
        (c for c in map(chr, _CANDIDATES) if c not in text and f"\\u{ord(c):04x}" not in lowered),
        None,
    )
    if mark is None:
        return None
    marked = _escapes.sub(lambda found: mark if found["half"] else found[0], text)
    marked = re.sub("[\ud800-\udfff]", mark, marked)
    if marked == text:
        return None
    json = marked.encode()
    try:
        check_json(json)
    except (msgspec.DecodeError, RecursionError):
        return None
    return BrokenText(json, mark)


def check_json(body: bytes) -> None:
    """Raise DecodeError or UnicodeDecodeError, with the place, unless a body is JSON throughout.

    Also RecursionError. A number that is out of range is JSON, and its field's fault.
    """
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        msgspec.json.decode(body, type=msgspec.Raw)
        body.decode()
