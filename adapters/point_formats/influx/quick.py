"""The quick reader of bodies: plain lines in few steps, all others by the readable reader.

A plain line has one space on either side of its fields, no escapes, numbers or booleans as values,
and a time.
"""

from __future__ import annotations

import re
from array import array
from itertools import islice

from adapters.point_formats.influx.lines import BOOLEANS, BadLine, read_series
from adapters.point_formats.influx.precisions import ToMilliseconds
from adapters.point_formats.influx.readable import LineReader, metric_name, read_readably
from adapters.point_formats.mapping import Unmappable, mapped_tags
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Refusals
from domain.columns import CodedColumn, coded
from domain.memo import Memo
from domain.metric_point import PointBatch, TagSet, timestamp_fault
from domain.values import all_finite

MAX_LINE = 16 * 1024
"""Characters of a line that is read quickly, which bounds the lists that it is split into."""

_are_numbers = re.compile("[0-9.eE+-]*").fullmatch
_is_integer = re.compile("(?!-0)[+-]?[0-9]{1,18}i").fullmatch  # in range, and not -0
_is_time = re.compile("[0-9]{1,19}\r?").fullmatch
_DIGITS = frozenset("0123456789")
_NUMBERS = {text: repr(value) for text, value in BOOLEANS.items()}


Pairs = tuple[tuple[str, str], ...]
"""Keys and values of tags as they are sent, in that order."""


class NotPlain(Exception):
    """A line is left to the readable reader."""


class Series:
    """The measurement and tags of a line."""

    __slots__ = ("measurement", "tags")

    def __init__(self, measurement: str, tags: TagSet) -> None:
        self.measurement = measurement
        self.tags = tags


class _Times(dict[str, int]):
    """The timestamps of a body in milliseconds, by their texts."""

    def __init__(self, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> None:
        self._latest = terms.latest
        self._to_milliseconds = to_milliseconds

    def __missing__(self, text: str) -> int:
        if not _is_time(text):
            raise NotPlain
        time = self._to_milliseconds(int(text))
        if timestamp_fault(time, self._latest):
            raise NotPlain
        self[text] = time
        return time


class QuickReader:
    """Reads bodies, for one thread."""

    def __init__(self) -> None:
        self._series = Memo(self._read_series, lambda text, _: len(text))
        self._tag_sets = Memo(plain_tags, lambda _, tags: tags.size())
        self._names = Memo(plain_name, lambda of, name: len(of[0]) + len(of[1]) + len(name))

    def read(self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> Decoded:
        """Return the points of a body, as `read_readably` does. Raises BodyTooLarge."""
        found = self._read(body, terms, to_milliseconds)
        return read_readably(body, terms, to_milliseconds) if found is None else found

    def _read(
        self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds
    ) -> Decoded | None:
        """Return None if the whole body is to be read readably."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return None
        if text.count("\n") > terms.max_points:
            return None
        lines = text.removesuffix("\n").split("\n")
        if max(map(len, lines)) > MAX_LINE:
            return None
        names: list[str] = []
        times: list[int] = []
        values: list[str] = []
        series_of: list[Series] = []
        refused = Refusals()
        odd = LineReader(terms, to_milliseconds, refused)
        known_series, known_names = self._series, self._names
        known_times = _Times(terms, to_milliseconds)
        at = line_at = 0  # where the line of that index begins
        numbered = enumerate(lines)
        for index, line in numbered:
            count = len(names)
            try:
                series_text, fields, time_text = line.split(" ")
                series = known_series[series_text]
                time = known_times[time_text]
                for field in fields.split(","):
                    key, value = field.split("=")
                    if value[-1] not in _DIGITS:
                        value = _number(value)
                    names.append(known_names[series.measurement, key])
                    times.append(time)
                    values.append(value)
                    series_of.append(series)
            except (ValueError, IndexError, NotPlain):
                for column in (names, times, values, series_of):
                    del column[count:]
                at += sum(map(len, lines[line_at:index])) + index - line_at
                points, end = odd.read(text, at, index + 1)
                for name, time, number, tag_set in points:
                    names.append(name)
                    times.append(time)
                    values.append(repr(number))
                    series_of.append(Series("", tag_set))
                read = text.count("\n", at, end)  # several if a string has newlines
                at, line_at = end, index + read
                if end < len(text):
                    for _ in islice(numbered, read - 1):
                        pass
                else:
                    for _ in numbered:
                        pass
            check_count(len(names), terms.max_points)
        numbers = _numbers(values)
        if numbers is None:
            return None
        # Interned, so those of equal tags are one object: compared by identity, which is fast.
        tags_of = [series.tags for series in series_of]
        ids = coded([*map(id, tags_of)])
        tag_sets = dict(zip(map(id, tags_of), tags_of, strict=True))
        tags = CodedColumn([*map(tag_sets.__getitem__, ids.table)], ids.codes)
        return Decoded(PointBatch(names, times, numbers, tags), refused or None, odd.timed)

    def _read_series(self, text: str) -> Series:
        measurement, pairs = plain_series(text)
        return Series(measurement, self._tag_sets[pairs])


def plain_series(text: str) -> tuple[str, Pairs]:
    """Return the measurement and tags that a text before a space is. Raises NotPlain."""
    if text[:1] in ("#", "\t", "\r") or text.endswith("\\"):
        raise NotPlain
    try:
        measurement, pairs, end = read_series(text, 0)
    except BadLine:
        raise NotPlain from None
    if end != len(text):
        raise NotPlain
    return measurement, tuple(pairs)


def plain_tags(pairs: Pairs) -> TagSet:
    """Raises NotPlain."""
    try:
        return mapped_tags(pairs)
    except Unmappable:
        raise NotPlain from None


def plain_name(field: tuple[str, str]) -> str:
    """Return the name of a metric by measurement and key. Raises NotPlain."""
    measurement, key = field
    if not key or "\\" in key:
        raise NotPlain
    try:
        return metric_name(measurement, key)
    except Unmappable:
        raise NotPlain from None


def _number(text: str) -> str:
    """Return a value that does not end in a digit as a number."""
    if _is_integer(text):
        return text[:-1]
    number = _NUMBERS.get(text)
    if number is None:
        raise NotPlain
    return number


def _numbers(texts: list[str]) -> array[float] | None:
    """Return values as numbers; None if one of them is not a number, or too large."""
    if not _are_numbers("".join(texts)):
        return None
    try:
        numbers = array("d", [*map(float, texts)])
    except ValueError:
        return None
    return numbers if all_finite(numbers) else None
