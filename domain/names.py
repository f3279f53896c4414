"""The rules of names and of other short texts.

Metric names, tag names and tag values follow the contract. Organizations and teams stand in URLs
and in keys of the log, so their names are simpler.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_NAME_LENGTH = 255
"""Characters of a metric's or a tag's name."""

MAX_TAG_VALUE_LENGTH = 1024
MAX_OWNER_NAME_LENGTH = 127
MAX_LABEL_LENGTH = 127
"""Characters of a short text that a person writes, such as the label of a copy."""

METRIC_NAME_PATTERN = r"[a-zA-Z_:][a-zA-Z0-9_:./-]*"
TAG_NAME_PATTERN = r"[a-zA-Z_][a-zA-Z0-9_./-]*"
OWNER_NAME_PATTERN = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"

_Matches = Callable[[str], re.Match[str] | None]
_is_metric_name = re.compile(rf"{METRIC_NAME_PATTERN}\Z").match
_is_tag_name = re.compile(rf"{TAG_NAME_PATTERN}\Z").match
_is_owner_name = re.compile(rf"{OWNER_NAME_PATTERN}\Z").match
_not_text = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def metric_name_fault(name: object) -> str | None:
    """Say what is wrong with a metric's name, or None where nothing is."""
    return _fault(name, _is_metric_name, METRIC_NAME_PATTERN, MAX_NAME_LENGTH)


def tag_name_fault(name: object) -> str | None:
    """Say what is wrong with a tag's name, or None where nothing is."""
    return _fault(name, _is_tag_name, TAG_NAME_PATTERN, MAX_NAME_LENGTH)


def owner_name_fault(name: object) -> str | None:
    """Say what is wrong with an organization's or a team's name, or None where nothing is."""
    return _fault(name, _is_owner_name, OWNER_NAME_PATTERN, MAX_OWNER_NAME_LENGTH)


def tag_value_fault(value: object) -> str | None:
    """Say what is wrong with a tag's value, or None where nothing is."""
    return _text_fault(value, MAX_TAG_VALUE_LENGTH)


def label_fault(text: object) -> str | None:
    """Say what is wrong with a label that a person chose, or None where nothing is."""
    return _text_fault(text, MAX_LABEL_LENGTH)


def _fault(name: object, matches: _Matches, pattern: str, max_length: int) -> str | None:
    if not isinstance(name, str):
        return f"must be a string, not {json_type(name)}"
    if not 1 <= len(name) <= max_length:
        return f"must have 1 to {max_length} characters, has {len(name)}"
    if not matches(name):
        return f"must match {pattern}, is {abbreviated(name)}"
    return None


def _text_fault(text: object, max_length: int) -> str | None:
    """Any text without control characters (Unicode's category Cc) and lone surrogates (Cs)."""
    if not isinstance(text, str):
        return f"must be a string, not {json_type(text)}"
    if not 1 <= len(text) <= max_length:
        return f"must have 1 to {max_length} characters, has {len(text)}"
    if found := _not_text(text):
        if "\ud800" <= found[0] <= "\udfff":
            return f"must be valid Unicode, is not at {found.start()}"
        return f"must have no control characters, has U+{ord(found[0]):04X} at {found.start()}"
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
