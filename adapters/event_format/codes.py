"""Columns of codes. The format: docs/event-format.md.

Codes of 8 bits are stored as they are: that is read fast. Wider ones are stored as the differences
between them, modulo their width, since differences repeat more than codes do: large batches go
through names, tag sets and times in order.
"""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate
from typing import Any

from adapters.event_format.vectors import vectors
from domain.columns import code_type

_BYTES = bytes(range(256))


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
