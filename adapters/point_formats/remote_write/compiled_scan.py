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

GAVE_UP = -1

MAX_SERIES = 1 << 20
"""Bytes of a series that is scanned."""

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
    """The result of a scan: per sample its series, time and value, and the places of texts.

    Values are bits of floats. Places are pairs of numbers, where a text begins and where it ends:
    the labels of each series, and each metadata, with their fields' numbers and lengths.
    """

    series: NDArray[np.uint32]
    times: NDArray[np.int64]
    values: NDArray[np.uint64]
    labels: NDArray[np.int64]
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
def scan(body, columns):  # type: ignore[no-untyped-def]
    """Return the numbers of samples (GAVE_UP if it is not understood), series and metadata."""
    # Taken out of their tuple only once, because each access counts references.
    series_of, times, values = columns.series, columns.times, columns.values
    labels, metadata = columns.labels, columns.metadata
    rows = series = described = np.int64(0)
    at, size = np.int64(0), np.int64(body.size)
    while at < size:
        start = at
        tag = body[at]
        if tag < 8 or tag >= 0x80 or tag & 7 != _LENGTH_TYPE:
            return GAVE_UP, series, described
        at, length = _length(body, at + 1, size)
        if length < 0:
            return GAVE_UP, series, described
        end = at + length
        if tag == _METADATA:
            if 2 * described == metadata.size:
                return GAVE_UP, series, described
            metadata[2 * described] = start
            metadata[2 * described + 1] = end
            described += 1
        if tag != _SERIES:
            at = end
            continue
        if 2 * series == labels.size or length > MAX_SERIES:
            return GAVE_UP, series, described
        labels[2 * series] = at
        while at < end and body[at] == _LABEL:
            at, length = _length(body, at + 1, end)
            if length < 0:
                return GAVE_UP, series, described
            at += length
        labels[2 * series + 1] = at
        while at < end:
            tag = body[at]
            if tag in (_LABEL, _HISTOGRAM) or tag < 8 or tag >= 0x80:
                return GAVE_UP, series, described
            if tag & 7 != _LENGTH_TYPE:
                return GAVE_UP, series, described
            at, length = _length(body, at + 1, end)
            if length < 0:
                return GAVE_UP, series, described
            if tag == _SAMPLE:
                if rows == times.size:
                    return GAVE_UP, series, described
                time, bits = _sample(body, at, at + length)
                if time < 0:
                    return GAVE_UP, series, described
                series_of[rows] = series
                times[rows] = time
                values[rows] = bits
                rows += 1
            at += length
        series += 1
    return rows, series, described
