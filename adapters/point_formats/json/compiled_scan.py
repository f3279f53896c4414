"""The compiled pass over the bytes of a publish body, and the arrays that it reads and writes.

All compiled functions are in this module, with every constant and array type that they use. Numba
compiles a function on its first call and caches it together with the functions it calls, but
checks only its own file for changes: a function of another module would stay as it was compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

GAVE_UP, FULL = -1, -2
"""Results of a scan that are not a number of points."""

MAX_TEXTS = 1 << 17
MAX_BYTES = 8 << 20
"""Texts that are remembered, and their bytes. Past either, all are forgotten and read again."""

MAX_TEXT = 1 << 14
"""Bytes of a text that is scanned. Tags of up to 40 long values may have more: they are decoded."""

PADDING = bytes(8)  # ends every loop, and allows reading eight bytes at any place
SLOTS = MAX_TEXTS * 2
RECENT = 1 << 10
_POWERS = tuple(10.0**power for power in range(23))  # exact, as are integers up to 2**53
_EIGHT = np.uint64(8)
_EXACT = np.uint64(1 << 53)
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 over the golden ratio
_NAME, _TIME, _VALUE, _TAGS = 1, 2, 4, 8
_OPEN, _CLOSE, _BEGIN, _END, _COLON, _COMMA, _QUOTE, _BACKSLASH = b'{}[]:,"\\'
_MINUS, _PLUS, _POINT, _ZERO, _E = b"-+.0e"


def _word_of(text: bytes) -> np.uint64:
    return np.uint64(int.from_bytes(text, "little"))


_SIX = _word_of(b"\xff" * 6)
_SEVEN = _word_of(b"\xff" * 7)
_NAME_KEY, _TAGS_KEY, _VALUE_KEY = map(_word_of, (b'"name"', b'"tags"', b'"value"'))
_METRIC_KEY, _METRICS_KEY = map(_word_of, (b'"metric"', b'"metrics'))
_TIMESTAMP_KEY, _TIMESTAMP_END = _word_of(b'"timesta'), _word_of(b'mestamp"')


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(function, cache=True, error_model="numpy")  # type: ignore[no-any-return]
    except RuntimeError:  # no directory for a cache is writable
        return numba.njit(function, error_model="numpy")  # type: ignore[no-any-return]


class Texts(NamedTuple):
    """Names and tags as they are written, by number. Number 0 is reserved for no text."""

    content: NDArray[np.uint8]  # concatenated
    starts: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    slots: NDArray[np.int32]  # a hash table of numbers
    after: NDArray[np.int32]  # the number of the text that followed last time
    codes: NDArray[np.int32]  # of the text in the batch that `batches` says
    batches: NDArray[np.int64]
    numbers: NDArray[np.int64]  # a single one: how many texts there are
    seed: np.uint64  # of the hashes, so that nobody can choose texts that collide


class Columns(NamedTuple):
    """The result of a scan: a code per row, and per code the number of its text, or its time."""

    names: NDArray[np.uint32]
    times: NDArray[np.uint32]
    values: NDArray[np.float64]
    tags: NDArray[np.uint32]
    name_table: NDArray[np.int32]
    time_table: NDArray[np.int64]
    tag_table: NDArray[np.int32]
    hard: NDArray[np.int64]  # (row, start, end) of each number left to `float`
    recent: NDArray[np.int64]  # codes of times


@_compiled
def _word(data, at):  # type: ignore[no-untyped-def]
    """Return eight bytes as a number, which compiles to a single load."""
    at = np.uint64(at)  # unsigned, which saves a check for negative indexes
    word = np.uint64(data[at])
    for byte in range(1, 8):
        word |= np.uint64(data[at + np.uint64(byte)]) << np.uint64(8 * byte)
    return word


@_compiled
def _mask(length):  # type: ignore[no-untyped-def]
    """Return the bits of a word's first one to eight bytes."""
    return ~np.uint64(0) >> (_EIGHT * (_EIGHT - np.uint64(length)))


@_compiled
def _same(data, at, others, start, length):  # type: ignore[no-untyped-def]
    """Return whether two texts of at least one byte are equal."""
    at, start, length = np.uint64(at), np.uint64(start), np.uint64(length)
    while length > _EIGHT:
        if _word(data, at) != _word(others, start):
            return False
        at, start, length = at + _EIGHT, start + _EIGHT, length - _EIGHT
    return (_word(data, at) ^ _word(others, start)) & _mask(length) == 0


@_compiled
def _matched(content, starts, number, body, at, size):  # type: ignore[no-untyped-def]
    """Return the length of a known text if the body has it at this place, else 0."""
    start = starts[number]
    length = starts[number + 1] - start
    return length if at + length <= size and _same(body, at, content, start, length) else 0


@_compiled
def _hash(data, at, length, seed):  # type: ignore[no-untyped-def]
    found = seed ^ np.uint64(length)
    while length > 0:
        word = _word(data, at)
        if length < 8:
            word &= _mask(length)
        found = (found ^ word) * _MULTIPLIER
        found ^= found >> np.uint64(29)
        at, length = at + 8, length - 8
    return found


@_compiled
def _number_of(texts, data, at, length):  # type: ignore[no-untyped-def]
    """Return the number of a text, a new one if it is unknown, or FULL if there is no room."""
    content, starts, after = texts.content, texts.starts, texts.after
    hashes, slots, count = texts.hashes, texts.slots, texts.numbers
    wanted = _hash(data, at, length, texts.seed)
    slot = np.int64(wanted >> np.uint64(32)) % SLOTS
    while slots[slot] > 0:
        found = np.int64(slots[slot])
        start = starts[found]
        if (
            hashes[found] == wanted
            and starts[found + 1] - start == length
            and _same(data, at, content, start, length)
        ):
            return found
        slot = (slot + 1) % SLOTS
    new = count[0]
    start = starts[new]
    if new == MAX_TEXTS or start + length > MAX_BYTES:
        return FULL
    for byte in range(length):
        content[start + byte] = data[at + byte]
    starts[new + 1] = start + length
    hashes[new] = wanted
    slots[slot] = new
    after[new] = new
    count[0] = new + 1
    return new


@_compiled
def _string_end(body, at):  # type: ignore[no-untyped-def]
    """Return the place after a string's closing quote; GAVE_UP unless it is printable ASCII."""
    at += 1
    while body[at] != _QUOTE:
        if body[at] < 0x20 or body[at] >= 0x80 or body[at] == _BACKSLASH:
            return GAVE_UP
        at += 1
    return at + 1


@_compiled
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


@_compiled
def _digits(body, at, number):  # type: ignore[no-untyped-def]
    digit = np.uint64(body[at]) - np.uint64(_ZERO)
    while digit < np.uint64(10):
        number = number * np.uint64(10) + digit
        at += 1
        digit = np.uint64(body[at]) - np.uint64(_ZERO)
    return number, at


@_compiled
def _float(body, at):  # type: ignore[no-untyped-def]
    """Return a number, whether it is exact, and where it ends (GAVE_UP if it is not a number).

    It is exact if its digits and its power of ten are exact as floats: their product or quotient
    is then rounded only once. The others, which have many digits, are left to Python's `float`.
    """
    negative = body[at] == _MINUS
    if negative:
        at += 1
    start = at
    mantissa, at = _digits(body, at, np.uint64(0))
    digits = at - start
    if digits == 0 or (digits > 1 and body[start] == _ZERO):
        return 0.0, False, np.int64(GAVE_UP)
    power = np.int64(0)
    if body[at] == _POINT:
        start = at + 1
        mantissa, at = _digits(body, start, mantissa)
        if at == start:
            return 0.0, False, np.int64(GAVE_UP)
        power = start - at
        digits += at - start
    elif negative and mantissa == np.uint64(0):  # readers differ on the sign of the integer -0
        return 0.0, False, np.int64(GAVE_UP)
    if (body[at] | 0x20) == _E:
        at += 1
        falls = body[at] == _MINUS
        if falls or body[at] == _PLUS:
            at += 1
        start = at
        exponent, at = _digits(body, at, np.uint64(0))
        if at == start or at - start > 4:
            return 0.0, False, np.int64(GAVE_UP)
        power += -np.int64(exponent) if falls else np.int64(exponent)
    number = np.float64(mantissa)
    exact = digits <= 19 and mantissa <= _EXACT and -22 <= power <= 22
    if exact:
        number = number / _POWERS[-power] if power < 0 else number * _POWERS[power]
    return -number if negative else number, exact, at


@_compiled
def _blank(body, at):  # type: ignore[no-untyped-def]
    """Return where white space ends."""
    while body[at] <= 0x20 and (
        body[at] == 0x20 or body[at] == 0x0A or body[at] == 0x0D or body[at] == 0x09
    ):
        at += 1
    return at


@_compiled
def _after(body, at, mark):  # type: ignore[no-untyped-def]
    """Return where the next token after a mark begins; GAVE_UP if the mark is not there."""
    at = _blank(body, at)
    return _blank(body, at + 1) if body[at] == mark else np.int64(GAVE_UP)


@_compiled
def scan(body, size, batch, texts, columns):  # type: ignore[no-untyped-def]
    """Return the numbers of points, hard numbers and distinct names, times and tag sets.

    Clients send the same series in the same order again and again. So a text is first compared
    with the one that followed its predecessor last time, which is faster than finding its end and
    hashing it.
    """
    # Taken out of their tuples only once, because each access counts references.
    content, starts, after = texts.content, texts.starts, texts.after
    codes, batches = texts.codes, texts.batches
    name_codes, name_table = columns.names, columns.name_table
    time_codes, time_table, recent = columns.times, columns.time_table, columns.recent
    tag_codes, tag_table = columns.tags, columns.tag_table
    values, left = columns.values, columns.hard
    rows = hard = names = times = tags = 0
    last_name = last_tags = np.int64(0)
    at = _after(body, 0, _OPEN)
    if at < 0 or _word(body, at) != _METRICS_KEY or body[at + 8] != _QUOTE:
        return GAVE_UP, hard, names, times, tags
    at = _after(body, at + 9, _COLON)
    if at < 0:
        return GAVE_UP, hard, names, times, tags
    at = _after(body, at, _BEGIN)
    while at >= 0 and rows < values.size:
        at = _after(body, at, _OPEN)
        seen = 0
        while at >= 0:
            word = _word(body, at)
            if word & _SIX == _NAME_KEY:
                field, at = _NAME, at + 6
            elif word == _TIMESTAMP_KEY and _word(body, at + 3) == _TIMESTAMP_END:
                field, at = _TIME, at + 11
            elif word & _SEVEN == _VALUE_KEY:
                field, at = _VALUE, at + 7
            elif word & _SIX == _TAGS_KEY:
                field, at = _TAGS, at + 6
            elif word == _METRIC_KEY:
                field, at = _NAME, at + 8
            else:
                return GAVE_UP, hard, names, times, tags
            at = _after(body, at, _COLON)
            if at < 0 or seen & field:
                return GAVE_UP, hard, names, times, tags
            seen |= field
            if field in (_NAME, _TAGS):
                if body[at] != (_OPEN if field == _TAGS else _QUOTE):
                    return GAVE_UP, hard, names, times, tags
                last = last_tags if field == _TAGS else last_name
                number = last
                length = _matched(content, starts, number, body, at, size)
                if length == 0:
                    number = np.int64(after[last])
                    length = _matched(content, starts, number, body, at, size)
                if length == 0:
                    end = _object_end(body, at) if field == _TAGS else _string_end(body, at)
                    length = end - at
                    if end < 0 or length > MAX_TEXT:
                        return GAVE_UP, hard, names, times, tags
                    number = _number_of(texts, body, at, length)
                    if number < 0:
                        return FULL, hard, names, times, tags
                    after[last] = number
                new = batches[number] != batch
                batches[number] = batch
                # Duplicated: one function for both made scanning a sixth slower.
                if field == _TAGS:
                    if new:
                        codes[number] = tags
                        tag_table[tags] = number
                        tags += 1
                    tag_codes[rows] = codes[number]
                    last_tags = number
                else:
                    if new:
                        codes[number] = names
                        name_table[names] = number
                        names += 1
                    name_codes[rows] = codes[number]
                    last_name = number
                at += length
            elif field == _TIME:
                start = at
                time, at = _digits(body, at, np.uint64(0))
                if at == start or at > start + 18 or (body[start] == _ZERO and at > start + 1):
                    return GAVE_UP, hard, names, times, tags
                place = np.int64(time) % RECENT
                code = recent[place]
                if code >= times or time_table[code] != np.int64(time):
                    code = times
                    recent[place] = code
                    time_table[times] = np.int64(time)
                    times += 1
                time_codes[rows] = code
            else:
                start = at
                values[rows], exact, at = _float(body, at)
                if at < 0:
                    return GAVE_UP, hard, names, times, tags
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
            return GAVE_UP, hard, names, times, tags
        rows += 1
        at = _blank(body, at + 1)
        if body[at] == _END:
            at = _after(body, at + 1, _CLOSE)
            return rows if at == size else GAVE_UP, hard, names, times, tags
        at = _after(body, at, _COMMA)
    return GAVE_UP, hard, names, times, tags
