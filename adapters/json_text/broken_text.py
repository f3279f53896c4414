"""Strings in JSON that are not Unicode: half a surrogate pair, or bytes that are not UTF-8.

The decoder refuses such a body as a whole. To report the field instead, each such place is
replaced by a character that the body does not contain. Decoded values get it back as a surrogate,
which the domain's rules refuse.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

_PRIVATE_USE = range(0xE000, 0xF900)

_escapes = re.compile(
    r"""
    \\u[dD][89abAB][0-9a-fA-F]{2} \\u[dD][c-fC-F][0-9a-fA-F]{2}  # a pair: one character
    | \\u(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2})
    | \\.                                                         # so that \\u is no escape
    """,
    re.VERBOSE | re.DOTALL,
)
_surrogates = re.compile("[\ud800-\udfff]")


class BrokenText:
    """A body made readable: `json` has a mark in every place that is not Unicode.

    `marks` has the surrogate that each mark stands for. Of a byte that is not UTF-8 it is the one
    that Python's `surrogateescape` gives.
    """

    def __init__(self, json: bytes, marks: dict[str, str]) -> None:
        self.json = json
        self._marks = str.maketrans(marks)

    def restored(self, value: Any) -> Any:
        """Return a decoded value with the surrogates in place of the marks."""
        match value:
            case str():
                return value.translate(self._marks)
            case list():
                return [*map(self.restored, value)]
            case dict():
                return {self.restored(name): self.restored(v) for name, v in value.items()}
            case _:
                return value


def readable(body: bytes) -> BrokenText | None:
    """Return a body with its broken text replaced, or None if that is not what is wrong with it."""
    text = body.decode("utf-8", "surrogateescape")
    lowered = text.lower()
    unused = (
        mark
        for mark in map(chr, _PRIVATE_USE)
        if mark not in text and f"\\u{ord(mark):04x}" not in lowered
    )
    found: dict[str, str] = {}

    def mark(surrogate: str) -> str:
        if surrogate not in found:
            found[surrogate] = next(unused)
        return found[surrogate]

    def marked_escape(match: re.Match[str]) -> str:
        return mark(chr(int(match["half"], 16))) if match["half"] else match[0]

    try:
        marked = _escapes.sub(marked_escape, text)
        marked = _surrogates.sub(lambda match: mark(match[0]), marked)
    except StopIteration:  # the body has every character of the private use area
        return None
    if not found:
        return None
    json = marked.encode()
    try:
        check_json(json)
    except (msgspec.DecodeError, RecursionError):
        return None
    return BrokenText(json, {mark: surrogate for surrogate, mark in found.items()})


def without_surrogates(text: str) -> str:
    """Return text that can be written: with a replacement character for each surrogate."""
    return _surrogates.sub("\N{REPLACEMENT CHARACTER}", text)


def check_json(body: bytes) -> None:
    """Raise DecodeError or UnicodeDecodeError, with the place, unless a body is JSON throughout.

    Also RecursionError. A number that is out of range is JSON, and its field's fault.
    """
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        msgspec.json.decode(body, type=msgspec.Raw)
        body.decode()
