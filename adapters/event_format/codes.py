"""Columns of codes. The format: docs/event-format.md.

Codes of 8 bits are stored as they are: that is read fast. Wider ones are stored as the differences
between them, modulo their width, since differences repeat more than codes do: large batches go
through names, tag sets and times in order.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from adapters.event_format.vectors import vectors
from domain.columns import CodedColumn, code_type, coded

MIN_RUN = 8
"""Equal times in a row, on average, from which on `coded_times` looks at runs of them."""

_BYTES = bytes(range(256))


def coded_times(times: Sequence[int]) -> CodedColumn[int]:
    """Return a column as `coded` does, in a tenth of the time if neighbours are mostly equal."""
    np = vectors(len(times))
    if not np or not isinstance(times, array):
        return coded(times)
    column = np.asarray(times)
    starts = (column[1:] != column[:-1]).nonzero()[0] + 1
    if len(starts) > len(times) // MIN_RUN:
        return coded(times)
    runs = coded([times[0], *column[starts].tolist()])
    bounds = [0, *starts.tolist(), len(times)]
    lengths = [end - start for start, end in pairwise(bounds)]
    codes = np.repeat(np.asarray(runs.codes), lengths)
    return CodedColumn(runs.table, array(runs.codes.typecode, codes.tobytes()))


def stored_codes(codes: array[int], entries: int) -> bytes | None:
    """Return codes for a table of so many entries as they are stored: None if all of them are 0."""
    if entries == 1:
        return None
    kind = code_type(entries)
    if codes.typecode != kind:
        codes = array(kind, codes)
    if kind == "B":
        return codes.tobytes()
    if np := vectors(len(codes)):
        differences = np.array(codes)
        differences[1:] -= np.asarray(codes)[:-1]
        return bytes(differences.astype(f"<u{codes.itemsize}", copy=False).tobytes())
    mask = (1 << 8 * codes.itemsize) - 1
    pairs = zip(codes, (0, *codes), strict=False)
    return little_endian(array(kind, [code - before & mask for code, before in pairs]))


def codes_of(stored: bytes | None, entries: int, count: int, what: str) -> array[int]:
    """Return `count` codes for a table of so many entries. Raises ValueError."""
    codes: array[int] = array(code_type(entries))
    width = codes.itemsize
    if stored is None:
        stored = bytes(width * count)
    if len(stored) != width * count:
        raise ValueError(f"the codes of the {what} have {len(stored)} bytes, not {width} per point")
    if width == 1:
        codes.frombytes(stored)
        within = not stored.translate(None, _BYTES[:entries])
    elif np := vectors(count):
        found = np.cumsum(np.frombuffer(stored, f"<u{width}"), dtype=f"u{width}")
        codes.frombytes(found.tobytes())
        within = found.max() < entries
    else:
        codes.frombytes(stored)
        if sys.byteorder == "big":
            codes.byteswap()
        mask = (1 << 8 * width) - 1
        codes = array(codes.typecode, [code & mask for code in accumulate(codes)])
        within = max(codes) < entries
    if not within:
        raise ValueError(f"a code of the {what} is outside its table of {entries}")
    return codes


def little_endian(column: array[Any]) -> bytes:
    """Return numbers as they are stored."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column.tobytes()
