"""The grammar of the line protocol, read one line at a time: the definition of its rules.

Source: InfluxDB "Line protocol" (v2 and v3 have the same page). Where the versions differ, the rule
is the one of the page; `docs/protocols/influx.md` lists the differences.
"""

from __future__ import annotations

import math
import re

from msgspec import Struct

from application.publishing.limits import check_count
from domain.metric_point import MAX_TAGS
from domain.names import abbreviated


class BadLine(Exception):
    """A line is not in the format. `at` is where in the text that was found."""

    def __init__(self, detail: str, at: int) -> None:
        self.at = at
        super().__init__(detail)


class Line(Struct, frozen=True):
    """A line's parts, without escapes. The value of a string field is None.

    `time` is in the unit of the request, None for a line without a time. Of more than `MAX_TAGS`
    tags only one more is kept, since that is already one too many.
    """

    measurement: str
    tags: list[tuple[str, str]]
    fields: list[tuple[str, float | None]]
    time: int | None


def _until(marks: str, escaped: str) -> re.Pattern[str]:
    """Match up to a line's end or one of the marks that no backslash is before.

    "Special characters": a backslash before one of `escaped` is an escape, any other is itself.
    """
    return re.compile(rf"(?:[^{marks}\n\\]++|\\[{escaped}]?)*+")


# "Special characters": commas and spaces are escaped in measurements, equals signs in keys and tag
# values, too; of two backslashes the first is an escape.
_measurement = _until(", ", r", \\").match
_key = _until(",= ", r",= \\").match
_unescaped_measurement = re.compile(r"\\([, \\])").sub
_unescaped_key = re.compile(r"\\([,= \\])").sub
# "Quotes": the value of a field is a string if it begins with a quote. It may have newlines.
_string = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL).match
_plain_value = re.compile(r"[^, \t\r\n]*").match
_spaces = re.compile(" *").match
_blank = re.compile(r"[ \t\r]*").match
_ending = re.compile(r"[ \t\r]*(?:\n|\Z)").match
_number = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z").match
_integer = re.compile(r"[+-]?[0-9]{1,30}\Z").match
_time = re.compile(r"-?[0-9]+").match

BOOLEANS = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}
_RANGES = {"i": (-(1 << 63), (1 << 63) - 1), "u": (0, (1 << 64) - 1)}
MAX_TIME_LENGTH = 20  # of -9223372036854775808


def line_end(text: str, at: int) -> int:
    """Return where the line after the one at this place begins, or the text's length."""
    return text.find("\n", at) + 1 or len(text)


def read_line(text: str, at: int, max_fields: int) -> tuple[Line | None, int]:
    """Return the line that begins at a place, and where the next one begins.

    The line is None if it is empty or a comment. Raises BadLine, and BodyTooLarge for more than
    `max_fields` fields.
    """
    at = _blank(text, at).end()  # type: ignore[union-attr]
    if text[at : at + 1] in ("", "\n", "#"):  # "Comments"
        return None, line_end(text, at)
    measurement, tags, at = read_series(text, at)
    at = _space(text, at, "missing fields")
    field, at = _field(text, at)
    fields = [field]
    while text.startswith(",", at):
        field, at = _field(text, at + 1)
        fields.append(field)
        check_count(len(fields), max_fields)
    time = None
    if not (ending := _ending(text, at)):
        at = _space(text, at, "missing comma between fields")
        time, at = _timestamp(text, at)
        ending = _ending(text, at)
        if not ending:
            raise BadLine("unexpected text after the timestamp", at)
    return Line(measurement, tags, fields, time), ending.end()


def read_series(text: str, at: int) -> tuple[str, list[tuple[str, str]], int]:
    """Return the measurement and tags that a line begins with, and where they end.

    Raises BadLine.
    """
    found = _measurement(text, at)
    assert found is not None  # noqa: S101  it may be empty
    if not found[0]:
        raise BadLine("missing measurement", at)
    measurement, at = _unescaped_measurement(r"\1", found[0]), found.end()
    tags: list[tuple[str, str]] = []
    while text.startswith(",", at):
        tag, at = _tag(text, at + 1)
        if len(tags) <= MAX_TAGS:
            tags.append(tag)
    return measurement, tags, at


def _tag(text: str, at: int) -> tuple[tuple[str, str], int]:
    """Read a tag. "Tag set": both its key and its value are mandatory."""
    key, at = _key_at(text, at)
    if not key:
        raise BadLine("missing tag key", at)
    if not text.startswith("=", at):
        raise BadLine(f"missing value of tag {abbreviated(key)}", at)
    value, at = _key_at(text, at + 1)
    if not value:
        raise BadLine(f"missing value of tag {abbreviated(key)}", at)
    if text.startswith("=", at):
        raise BadLine(f"the value of tag {abbreviated(key)} has an = that is not escaped", at)
    return (key, value), at


def _field(text: str, at: int) -> tuple[tuple[str, float | None], int]:
    """Read a field. "Field set": at least one, each with a key and a value."""
    key, at = _key_at(text, at)
    if not key:
        raise BadLine("missing field key", at)
    if not text.startswith("=", at):
        raise BadLine(f"missing value of field {abbreviated(key)}", at)
    at += 1
    if text.startswith('"', at):
        string = _string(text, at)
        if string is None:  # so all that follows is a part of it
            raise BadLine(f"the string of field {abbreviated(key)} has no end", len(text))
        return (key, None), string.end()
    found = _plain_value(text, at)
    assert found is not None  # noqa: S101  it may be empty
    value = value_of(found[0])
    if value is None:
        wrong = f"invalid value {abbreviated(found[0])}" if found[0] else "missing value"
        raise BadLine(f"{wrong} of field {abbreviated(key)}", at)
    return (key, value), found.end()


def value_of(text: str) -> float | None:
    """Return the value of a field that is not a string; None if it is not one.

    "Data types and format": floats, integers with the suffix i, unsigned ones with the suffix u,
    and booleans, which become 0 and 1. There is no NaN and no infinity.
    """
    if _number(text):
        value = float(text)
        return value if math.isfinite(value) else None
    limits = _RANGES.get(text[-1:])
    if limits and _integer(text[:-1]):
        whole = int(text[:-1])
        return float(whole) if limits[0] <= whole <= limits[1] else None
    return BOOLEANS.get(text)


def _timestamp(text: str, at: int) -> tuple[int, int]:
    """Read a time. "Timestamp": a Unix timestamp, a 64-bit integer."""
    found = _time(text, at)
    if found is None or len(found[0]) > MAX_TIME_LENGTH:
        raise BadLine("invalid timestamp", at)
    return int(found[0]), found.end()


def _key_at(text: str, at: int) -> tuple[str, int]:
    """Read the key of a tag or field, or the value of a tag."""
    found = _key(text, at)
    assert found is not None  # noqa: S101  it may be empty
    return _unescaped_key(r"\1", found[0]), found.end()


def _space(text: str, at: int, otherwise: str) -> int:
    """Return where the spaces at a place end; BadLine if there are none, or nothing after them."""
    end = _spaces(text, at).end()  # type: ignore[union-attr]
    if end == at or _ending(text, at):
        raise BadLine(otherwise, at)
    return end
