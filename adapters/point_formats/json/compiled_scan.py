"""The compiled pass over the bytes of publish bodies, and the arrays that it writes."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import Program, compiled
from adapters.point_formats.scanned_texts import (
    MAX_TEXT,
    PADDING,
    Texts,
    digits,
    matched,
    number_of,
    word_at,
)
from domain.metric_point import MAX_TIMESTAMP

GAVE_UP, FULL = -1, -2
"""Results of a scan that are not a number of points."""

_POWERS = tuple(10.0**power for power in range(23))  # exact, as are integers up to 2**53
_EXACT = np.uint64(1 << 53)
_NAME, _TIME, _VALUE, _TAGS = 1, 2, 4, 8
_OPEN, _CLOSE, _BEGIN, _END, _COLON, _COMMA, _QUOTE, _BACKSLASH = b'{}[]:,"\\'
_MINUS, _PLUS, _POINT, _ZERO, _E = b"-+.0e"
_MAX_TIMESTAMP = MAX_TIMESTAMP
_ROWS, _HARD, _NAMES, _TAG_SETS = range(4)
_GAP = len(PADDING)


def _word_of(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_SIX = _word_of(b"\xff" * 6)
_SEVEN = _word_of(b"\xff" * 7)
_NAME_KEY, _TAGS_KEY, _VALUE_KEY = map(_word_of, (b'"name"', b'"tags"', b'"value"'))
_METRIC_KEY, _METRICS_KEY = map(_word_of, (b'"metric"', b'"metrics'))
_TIMESTAMP_KEY, _TIMESTAMP_END = _word_of(b'"timesta'), _word_of(b'mestamp"')


class Columns(NamedTuple):
    """The columns of all bodies of a scan, one body after another.

    Names and tags have a code per row, and per code the number of its text. Codes count from the
    beginning of their body's part of the table. Times are in milliseconds since the epoch.
    """

    names: NDArray[np.uint32]
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    tags: NDArray[np.uint32]
    name_table: NDArray[np.int32]
    tag_table: NDArray[np.int32]
    hard: NDArray[np.int64]  # (row, start, end) of each number left to `float`


@compiled
def _string_end(body, at):  # type: ignore[no-untyped-def]
    """Return the place after a string's closing quote; GAVE_UP unless it is printable ASCII."""
    at += 1
    while body[at] != _QUOTE:
        if body[at] < 0x20 or body[at] >= 0x80 or body[at] == _BACKSLASH:
            return GAVE_UP
        at += 1
    return at + 1


@compiled
def _object_end(body, at):  # type: ignore[no-untyped-def]
    """Return the place after an object of strings. Whether it is valid is found by decoding it."""
    at += 1
    quoted = False
    while quoted or body[at] != _CLOSE:
        if body[at] == 0 or (not quoted and body[at] == _OPEN):
            return GAVE_UP
        if body[at] == _QUOTE:
            quoted = not quoted
        elif body[at] == _BACKSLASH:
            at += 1
            if body[at] == 0:
                return GAVE_UP
        at += 1
    return at + 1


@compiled
def _float(body, at):  # type: ignore[no-untyped-def]
    """Return a number, whether it is exact, and where it ends (GAVE_UP if it is not a number).

    It is exact if its digits and its power of ten are exact as floats: their product or quotient
    is then rounded only once. The others, which have many digits, are left to Python's `float`.
    """
    negative = body[at] == _MINUS
    if negative:
        at += 1
    start = at
    mantissa, at = digits(body, at, np.uint64(0))
    written = at - start
    if written == 0 or (written > 1 and body[start] == _ZERO):
        return 0.0, False, np.int64(GAVE_UP)
    power = np.int64(0)
    if body[at] == _POINT:
        start = at + 1
        mantissa, at = digits(body, start, mantissa)
        if at == start:
            return 0.0, False, np.int64(GAVE_UP)
        power = start - at
        written += at - start
    elif negative and mantissa == np.uint64(0):  # readers differ on the sign of the integer -0
        return 0.0, False, np.int64(GAVE_UP)
    if (body[at] | 0x20) == _E:
        at += 1
        falls = body[at] == _MINUS
        if falls or body[at] == _PLUS:
            at += 1
        start = at
        exponent, at = digits(body, at, np.uint64(0))
        if at == start or at - start > 4:
            return 0.0, False, np.int64(GAVE_UP)
        power += -np.int64(exponent) if falls else np.int64(exponent)
    number = np.float64(mantissa)
    exact = written <= 19 and mantissa <= _EXACT and -22 <= power <= 22
    if exact:
        number = number / _POWERS[-power] if power < 0 else number * _POWERS[power]
    return -number if negative else number, exact, at


@compiled
def _blank(body, at):  # type: ignore[no-untyped-def]
    """Return where white space ends."""
    while body[at] <= 0x20 and (
        body[at] == 0x20 or body[at] == 0x0A or body[at] == 0x0D or body[at] == 0x09
    ):
        at += 1
    return at


@compiled
def _after(body, at, mark):  # type: ignore[no-untyped-def]
    """Return where the next token after a mark begins; GAVE_UP if the mark is not there."""
    at = _blank(body, at)
    return _blank(body, at + 1) if body[at] == mark else np.int64(GAVE_UP)


@compiled
def _milliseconds(time):  # type: ignore[no-untyped-def]
    """Return a time of at most 18 digits in milliseconds, as `to_milliseconds` does."""
    if time <= _MAX_TIMESTAMP // 1000:
        return time * 1000
    if time <= _MAX_TIMESTAMP:
        return time
    return time // 1000 if time <= _MAX_TIMESTAMP * 1000 else time // 1_000_000


@compiled
def _scan_body(body, at, size, batch, latest, texts, columns, ends, place):  # type: ignore[no-untyped-def]
    """Return the number of a body's points; `size` is where the body ends.

    Changes the four numbers of `ends` at `place`, which are those before the body.

    Clients send the same series in the same order again and again. So a text is first compared
    with the one that followed its predecessor last time, which is faster than finding its end and
    hashing it.
    """
    # Taken out of their tuples only once, because each access counts references.
    content, starts, after = texts.content, texts.starts, texts.after
    codes, batches = texts.codes, texts.batches
    name_codes, name_table = columns.names, columns.name_table
    tag_codes, tag_table = columns.tags, columns.tag_table
    milliseconds, values, left = columns.times, columns.values, columns.hard
    rows, hard = ends[place + _ROWS], ends[place + _HARD]
    first_row, first_name, first_tags = rows, ends[place + _NAMES], ends[place + _TAG_SETS]
    names, tags = first_name, first_tags
    last_name = last_tags = np.int64(0)
    at = _after(body, at, _OPEN)
    if at < 0 or word_at(body, at) != _METRICS_KEY or body[at + 8] != _QUOTE:
        return GAVE_UP
    at = _after(body, at + 9, _COLON)
    if at < 0:
        return GAVE_UP
    at = _after(body, at, _BEGIN)
    while at >= 0 and rows < values.size:
        at = _after(body, at, _OPEN)
        seen = 0
        while at >= 0:
            word = word_at(body, at)
            if word & _SIX == _NAME_KEY:
                field, at = _NAME, at + 6
            elif word == _TIMESTAMP_KEY and word_at(body, at + 3) == _TIMESTAMP_END:
                field, at = _TIME, at + 11
            elif word & _SEVEN == _VALUE_KEY:
                field, at = _VALUE, at + 7
            elif word & _SIX == _TAGS_KEY:
                field, at = _TAGS, at + 6
            elif word == _METRIC_KEY:
                field, at = _NAME, at + 8
            else:
                return GAVE_UP
            at = _after(body, at, _COLON)
            if at < 0 or seen & field:
                return GAVE_UP
            seen |= field
            if field in (_NAME, _TAGS):
                if body[at] != (_OPEN if field == _TAGS else _QUOTE):
                    return GAVE_UP
                last = last_tags if field == _TAGS else last_name
                number = last
                length = matched(content, starts, number, body, at, size)
                if length == 0:
                    number = np.int64(after[last])
                    length = matched(content, starts, number, body, at, size)
                if length == 0:
                    end = _object_end(body, at) if field == _TAGS else _string_end(body, at)
                    length = end - at
                    if end < 0 or length > MAX_TEXT:
                        return GAVE_UP
                    number = number_of(texts, body, at, length)
                    if number < 0:
                        return FULL
                    after[last] = number
                new = batches[number] != batch
                batches[number] = batch
                # Duplicated: one function for both made scanning a sixth slower.
                if field == _TAGS:
                    if new:
                        codes[number] = tags - first_tags
                        tag_table[tags] = number
                        tags += 1
                    tag_codes[rows] = codes[number]
                    last_tags = number
                else:
                    if new:
                        codes[number] = names - first_name
                        name_table[names] = number
                        names += 1
                    name_codes[rows] = codes[number]
                    last_name = number
                at += length
            elif field == _TIME:
                start = at
                time, at = digits(body, at, np.uint64(0))
                if at == start or at > start + 18 or (body[start] == _ZERO and at > start + 1):
                    return GAVE_UP
                milliseconds[rows] = _milliseconds(np.int64(time))
                if milliseconds[rows] > latest:
                    return GAVE_UP
            else:
                start = at
                values[rows], exact, at = _float(body, at)
                if at < 0:
                    return GAVE_UP
                if not exact:
                    left[3 * hard] = rows
                    left[3 * hard + 1] = start
                    left[3 * hard + 2] = at
                    hard += 1
            at = _blank(body, at)
            if body[at] == _CLOSE:
                break
            at = _after(body, at, _COMMA)
        if at < 0 or seen != _NAME + _TIME + _VALUE + _TAGS:
            return GAVE_UP
        rows += 1
        at = _blank(body, at + 1)
        if body[at] == _END:
            if _after(body, at + 1, _CLOSE) != size:
                return GAVE_UP
            ends[place + _ROWS], ends[place + _HARD] = rows, hard
            ends[place + _NAMES], ends[place + _TAG_SETS] = names, tags
            return rows - first_row
        at = _after(body, at, _COMMA)
    return GAVE_UP


@compiled
@no_type_check
def scan(
    bodies: NDArray[np.uint8],
    count: int,
    batch: int,
    latest: int,
    sizes: NDArray[np.int64],
    ends: NDArray[np.int64],
    texts: Texts,
    columns: Columns,
) -> tuple[int, int, int, int]:
    """Return how many rows, hard numbers, names and tag sets there are in all bodies.

    Each of the `count` bodies is followed by PADDING. `ends` is filled with these four numbers as
    of the end of each body, and `sizes`, the bodies' bytes, with the number of its points, or
    GAVE_UP if another reader has to read it. The number of rows is FULL if the texts have to be
    forgotten first. `batch` is the last body's number; none is used twice. `latest` is the latest
    time accepted, in milliseconds.
    """
    at = np.int64(0)
    for body in range(count):
        place = 4 * body
        for number in range(place, place + 4):
            ends[number] = ends[number - 4] if body else 0
        end = at + sizes[body]
        points = _scan_body(bodies, at, end, batch - body, latest, texts, columns, ends, place)
        if points == FULL:
            return FULL, 0, 0, 0
        sizes[body] = points
        at = end + _GAP
    last = 4 * count
    return ends[last - 4], ends[last - 3], ends[last - 2], ends[last - 1]


PROGRAM = Program("scan", "domain.metric_point", "adapters.point_formats.scanned_texts", __name__)
