"""The rules for names and other short texts.

Names of organizations and teams appear in URLs and in the log's keys, so their rule is stricter
than that of metric and tag names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MAX_NAME_LENGTH = 255
"""Maximum characters of a metric's or a tag's name."""

MAX_TAG_VALUE_LENGTH = 1024
MAX_OWNER_NAME_LENGTH = 127
MAX_LABEL_LENGTH = 127
"""Maximum characters of a short text written by a person, such as the label of a copy."""

METRIC_NAME_PATTERN = r"[a-zA-Z_:][a-zA-Z0-9_:./-]*"
TAG_NAME_PATTERN = r"[a-zA-Z_][a-zA-Z0-9_./-]*"
OWNER_NAME_PATTERN = r"[a-zA-Z0-9][a-zA-Z0-9_.-]*"

_Matches = Callable[[str], re.Match[str] | None]
_is_metric_name = re.compile(rf"{METRIC_NAME_PATTERN}\Z").match
_is_tag_name = re.compile(rf"{TAG_NAME_PATTERN}\Z").match
_is_owner_name = re.compile(rf"{OWNER_NAME_PATTERN}\Z").match
_not_text = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]").search


def metric_name_fault(name: object) -> str | None:
    """Return what is wrong with a metric's name, or None if it is valid."""
    return _fault(name, _is_metric_name, METRIC_NAME_PATTERN, MAX_NAME_LENGTH)


def tag_name_fault(name: object) -> str | None:
    """Return what is wrong with a tag's name, or None if it is valid."""
    return _fault(name, _is_tag_name, TAG_NAME_PATTERN, MAX_NAME_LENGTH)


def owner_name_fault(name: object) -> str | None:
    """Return what is wrong with an organization's or a team's name, or None if it is valid."""
    return _fault(name, _is_owner_name, OWNER_NAME_PATTERN, MAX_OWNER_NAME_LENGTH)


def tag_value_fault(value: object) -> str | None:
    """Return what is wrong with a tag's value, or None if it is valid."""
    return _text_fault(value, MAX_TAG_VALUE_LENGTH)


def label_fault(text: object) -> str | None:
    """Return what is wrong with a label chosen by a person, or None if it is valid."""
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
    """Valid is any text without control characters (category Cc) and lone surrogates (Cs)."""
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
    """Return the name of a decoded value's JSON type, for an error message."""
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
