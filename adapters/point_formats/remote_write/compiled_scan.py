"""The compiled pass over the bytes of a WriteRequest, and the arrays that it writes."""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import Program, compiled
from adapters.point_formats.scanned_texts import MAX_TEXT, Texts, matched, number_of

GAVE_UP, FULL = -1, -2
"""Results of a scan that are not a number of samples."""


MAX_SERIES = 1 << 20
"""Bytes of a series that is scanned."""

# The first bytes of fields: their numbers in a message, and their wire types.
_LENGTH_TYPE = 2
_SERIES, _METADATA = 0x0A, 0x1A
_LABEL, _SAMPLE, _HISTOGRAM = 0x0A, 0x12, 0x22
_VALUE, _TIME = 0x09, 0x10


class Columns(NamedTuple):
    """The result of a scan.

    Per sample, the number of the text of its series' labels, its time, and the bits of its value.
    `metadata` has pairs of places, where each metadata begins with its field's number, and ends.
    """

    series: NDArray[np.uint32]
    times: NDArray[np.int64]
    values: NDArray[np.uint64]
    metadata: NDArray[np.int64]


@compiled
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


@compiled
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


@compiled
@no_type_check
def scan(body: NDArray[np.uint8], size: int, texts: Texts, columns: Columns) -> tuple[int, int]:
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
        length = matched(content, starts, number, body, at, end)
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
            number = number_of(texts, body, at, length)
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


PROGRAM = Program("scan", "adapters.point_formats.scanned_texts", __name__)
