"""The compiled pass over the bytes of a WriteRequest, and the arrays that it writes.

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
"""Results of a scan that are not a number of samples."""

PADDING = bytes(8)  # allows reading eight bytes at any place
MAX_TEXT = 1 << 14
"""Bytes of a series' labels that are scanned."""


MAX_SERIES = 1 << 20
"""Bytes of a series that is scanned."""

_EIGHT = np.uint64(8)
_MULTIPLIER = np.uint64(0x9E37_79B9_7F4A_7C15)  # 2**64 over the golden ratio

# The first bytes of fields: their numbers in a message, and their wire types.
_LENGTH_TYPE = 2
_SERIES, _METADATA = 0x0A, 0x1A
_LABEL, _SAMPLE, _HISTOGRAM = 0x0A, 0x12, 0x22
_VALUE, _TIME = 0x09, 0x10


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(function, cache=True, error_model="numpy")  # type: ignore[no-any-return]
    except RuntimeError:  # no directory for a cache is writable
        return numba.njit(function, error_model="numpy")  # type: ignore[no-any-return]


class Columns(NamedTuple):
    """The result of a scan.

    Per sample, the number of the text of its series' labels, its time, and the bits of its value.
    `metadata` has pairs of places, where each metadata begins with its field's number, and ends.
    """

    series: NDArray[np.uint32]
    times: NDArray[np.int64]
    values: NDArray[np.uint64]
    metadata: NDArray[np.int64]


@_compiled
def _length(body, at, end):  # type: ignore[no-untyped-def]
    """Return the place after a length, and the length itself: GAVE_UP if it exceeds its message."""
    length = np.int64(0)
    shift = np.int64(0)
    while at < end and shift < 28:
        byte = np.int64(body[at])
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return at, length if length <= end - at else np.int64(GAVE_UP)
        shift += 7
    return at, np.int64(GAVE_UP)


@_compiled
def _sample(body, at, end):  # type: ignore[no-untyped-def]
    """Return a sample's time, GAVE_UP if it is negative or oddly written, and its value's bits.

    A field that is zero is left out.
    """
    bits = np.uint64(0)
    time = np.int64(0)
    if at + 9 <= end and body[at] == _VALUE:
        for byte in range(8):
            bits |= np.uint64(body[at + 1 + byte]) << np.uint64(8 * byte)
        at += 9
    if at < end and body[at] == _TIME:
        at += 1
        shift = np.int64(0)
        while at < end and shift < 63:
            piece = np.int64(body[at])
            at += 1
            time |= (piece & 0x7F) << shift
            if piece < 0x80:
                return time if at == end else np.int64(GAVE_UP), bits
            shift += 7
        return np.int64(GAVE_UP), bits
    return time if at == end else np.int64(GAVE_UP), bits


@_compiled
def _word_at(data, at):  # type: ignore[no-untyped-def]
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
        if _word_at(data, at) != _word_at(others, start):
            return False
        at, start, length = at + _EIGHT, start + _EIGHT, length - _EIGHT
    difference = _word_at(data, at) ^ _word_at(others, start)
    return difference & _mask(length) == 0


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
        word = _word_at(data, at)
        if length < 8:
            word &= _mask(length)
        found = (found ^ word) * _MULTIPLIER
        found ^= found >> np.uint64(29)
        at, length = at + 8, length - 8
    return found


@_compiled
def _number_of(texts, data, at, length):  # type: ignore[no-untyped-def]
    """Return the number of a text, a new one if it is unknown, or GAVE_UP if there is no room."""
    content, starts, after = texts.content, texts.starts, texts.after
    hashes, slots, count = texts.hashes, texts.slots, texts.numbers
    wanted = _hash(data, at, length, texts.seed)
    slot = np.int64(wanted >> np.uint64(32)) % slots.size
    while slots[slot] > 0:
        found = np.int64(slots[slot])
        start = starts[found]
        if (
            hashes[found] == wanted
            and starts[found + 1] - start == length
            and _same(data, at, content, start, length)
        ):
            return found
        slot = (slot + 1) % slots.size
    new = count[0]
    start = starts[new]
    if new == hashes.size or start + length > content.size - len(PADDING):
        return np.int64(GAVE_UP)
    for byte in range(length):
        content[start + byte] = data[at + byte]
    starts[new + 1] = start + length
    hashes[new] = wanted
    slots[slot] = new
    after[new] = new
    count[0] = new + 1
    return new


@_compiled
def scan(body, size, texts, columns):  # type: ignore[no-untyped-def]
    """Return the numbers of samples and of metadata.

    Clients send the same series in the same order again and again. So labels are first compared
    with those that followed last time, which is faster than finding their end and hashing them.
    """
    # Taken out of their tuples only once, because each access counts references.
    content, starts, after = texts.content, texts.starts, texts.after
    series, times, values = columns.series, columns.times, columns.values
    metadata = columns.metadata
    rows = described = last = np.int64(0)
    at, size = np.int64(0), np.int64(size)
    while at < size:
        start = at
        tag = body[at]
        if tag < 8 or tag >= 0x80 or tag & 7 != _LENGTH_TYPE:
            return GAVE_UP, described
        at, length = _length(body, at + 1, size)
        if length < 0:
            return GAVE_UP, described
        end = at + length
        if tag == _METADATA:
            if 2 * described == metadata.size:
                return GAVE_UP, described
            metadata[2 * described] = start
            metadata[2 * described + 1] = end
            described += 1
        if tag != _SERIES:
            at = end
            continue
        if length > MAX_SERIES or length == 0 or body[at] != _LABEL:
            return GAVE_UP, described
        number = np.int64(after[last])
        length = _matched(content, starts, number, body, at, end)
        if length == 0 or (at + length < end and body[at + length] == _LABEL):
            start = at
            while at < end and body[at] == _LABEL:
                at, length = _length(body, at + 1, end)
                if length < 0:
                    return GAVE_UP, described
                at += length
            length = at - start
            if length > MAX_TEXT:
                return GAVE_UP, described
            at = start
            number = _number_of(texts, body, at, length)
            if number < 0:
                return FULL, described
            after[last] = number
        last = number
        at += length
        before = rows
        while at < end:
            tag = body[at]
            if tag in (_LABEL, _HISTOGRAM) or tag < 8 or tag >= 0x80:
                return GAVE_UP, described
            if tag & 7 != _LENGTH_TYPE:
                return GAVE_UP, described
            at, length = _length(body, at + 1, end)
            if length < 0:
                return GAVE_UP, described
            if tag == _SAMPLE:
                if rows == times.size:
                    return GAVE_UP, described
                time, bits = _sample(body, at, at + length)
                if time < 0:
                    return GAVE_UP, described
                series[rows] = number
                times[rows] = time
                values[rows] = bits
                rows += 1
            at += length
        if rows == before:  # whose labels would not be looked at
            return GAVE_UP, described
    return rows, described
