"""Texts in quotes, read and written as Go does."""

from __future__ import annotations

import json
import re

_SHORT = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_DIGITS = {"x": (2, 16), "u": (4, 16), "U": (8, 16)}
_plain_name = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*").fullmatch


def unquoted(literal: str) -> str:
    """Return what a quoted literal stands for; its escapes must be valid."""
    inner = literal[1:-1]
    if literal[0] == "`" or "\\" not in inner:
        return inner
    content = bytearray()
    done = 0
    while (place := inner.find("\\", done)) >= 0:
        content += inner[done:place].encode()
        kind = inner[place + 1]
        if kind in _DIGITS or kind in "01234567":
            length, base = _DIGITS.get(kind, (3, 8))
            first = place + (2 if kind in _DIGITS else 1)
            number = int(inner[first : first + length], base)
            # Two hexadecimal or three octal digits are a byte, more a character.
            content += bytes([number]) if length < 4 else chr(number).encode()
            done = first + length
        else:
            content += _SHORT.get(kind, kind).encode()
            done = place + 2
    content += inner[done:].encode()
    return content.decode("utf-8", "replace")


def bad_escape(literal: str) -> str | None:
    """Return what is wrong with the first bad escape of a quoted literal, None if nothing is."""
    if literal[0] == "`":
        return None
    place = 1
    while (place := literal.find("\\", place)) >= 0:
        if place + 1 == len(literal):
            return "escape sequence not terminated"
        kind = literal[place + 1]
        if kind in _SHORT or kind == literal[0]:
            place += 2
            continue
        if kind not in _DIGITS and kind not in "01234567":
            return f"unknown escape sequence {_code_point(kind)}"
        length, base = _DIGITS.get(kind, (3, 8))
        first = place + (2 if kind in _DIGITS else 1)
        for character in literal[first : first + length]:
            if character not in "0123456789abcdefABCDEF"[: 8 if base == 8 else None]:
                return f"illegal character {_code_point(character)} in escape sequence"
        if len(literal) < first + length:
            return "escape sequence not terminated"
        number = int(literal[first : first + length], base)
        if number > (255 if length < 4 else 0x10FFFF) or 0xD800 <= number < 0xE000:
            return "escape sequence is an invalid Unicode code point"
        place = first + length
    return None


def quoted(text: str) -> str:
    """Return a text in quotes (`%q` of Go)."""
    return json.dumps(text, ensure_ascii=False)


def label_name(name: str) -> str:
    """Return a label's name, in quotes unless it is a plain one."""
    return name if _plain_name(name) else quoted(name)


def quoted_character(character: str) -> str:
    """Return a character in quotes (`%q` of Go), that of the end of the text being unknown."""
    if not character:
        return "'\ufffd'"
    if character in "'\"":
        return r"'\''" if character == "'" else "'\"'"
    return f"'{quoted(character)[1:-1]}'"


def _code_point(character: str) -> str:
    return f"U+{ord(character):04X} '{character}'"
