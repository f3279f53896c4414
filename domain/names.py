"""What names look like.

Metric and tag names: the contract's rule. Organizations and teams stand in URLs and in keys of
the log, so their names are the same kind of word; they may begin with a digit as well.
"""

from __future__ import annotations

import re

MAX_NAME_LENGTH = 127

NAME_PATTERN = r"[a-zA-Z][_a-zA-Z0-9.-]*"
OWNER_NAME_PATTERN = r"[a-zA-Z0-9][_a-zA-Z0-9.-]*"

_is_name = re.compile(rf"{NAME_PATTERN}\Z").match
_is_owner_name = re.compile(rf"{OWNER_NAME_PATTERN}\Z").match
_has_control = re.compile("[\x00-\x1f\x7f-\x9f]").search


def name_fault(name: object) -> str | None:
    """Say what is wrong with a metric or tag name, or None where nothing is."""
    return _fault(name, _is_name, NAME_PATTERN)


def owner_name_fault(name: object) -> str | None:
    """Say what is wrong with an organization's or team's name, or None where nothing is."""
    return _fault(name, _is_owner_name, OWNER_NAME_PATTERN)


def _fault(name: object, matches: object, pattern: str) -> str | None:
    if not isinstance(name, str):
        return f"must be a string, not {json_type(name)}"
    if not 1 <= len(name) <= MAX_NAME_LENGTH:
        return f"must have 1 to {MAX_NAME_LENGTH} characters, has {len(name)}"
    if not matches(name):  # type: ignore[operator]
        return f"must match {pattern}, is {abbreviated(name)}"
    return None


def text_fault(text: object) -> str | None:
    """Say what is wrong with a tag value (1 to 127 characters, none a control character)."""
    if not isinstance(text, str):
        return f"must be a string, not {json_type(text)}"
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        return f"must have 1 to {MAX_NAME_LENGTH} characters, has {len(text)}"
    if control := _has_control(text):
        return f"must have no control characters, has U+{ord(control[0]):04X} at {control.start()}"
    return None


def json_type(value: object) -> str:
    """Name a decoded JSON value's type as a person who wrote the JSON would."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def abbreviated(text: str, length: int = 60) -> str:
    """Quote `text` for an error message, cut to about `length` characters."""
    return repr(text if len(text) <= length else text[:length] + "…")
