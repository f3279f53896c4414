"""Reading columns of values: floats, or integers in byte planes. See docs/event-format.md."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from functools import cache
from operator import truediv
from typing import Any, NamedTuple

from adapters.event_format.vectors import vectors
from domain.values import from_bits

RAW = 255
"""The exponent of a name whose integers are the bits of its values."""

MAX_EXPONENT = 22
MAX_INTEGER = 1 << 53
"""Integers up to this one, and powers of ten up to that exponent, are exact as floats."""

TOO_LARGE = f"the integer of a value exceeds {MAX_INTEGER}"

_EXPONENTS = bytes((*range(MAX_EXPONENT + 1), RAW))
_POWERS = {exponent: 10.0**exponent for exponent in range(MAX_EXPONENT + 1)} | {RAW: 1.0}
_BITS = (1 << 64) - 1


def floats_of(stored: bytes, count: int) -> array[float]:
    """Return `count` values that are stored as floats. Raises ValueError."""
    if len(stored) != 8 * count:
        raise ValueError(f"the values have {len(stored)} bytes, not 8 per point")
    values = array("d", stored)
    if sys.byteorder == "big":
        values.byteswap()
    return values


class Packed(NamedTuple):
    """Values as integers in byte planes. `exponents` has one byte per name."""

    planes: bytes
    exponents: bytes
    base: int
    lag: int


def unpacked(packed: Packed, names: array[int]) -> array[float]:
    """Return values from their byte planes.

    `names` has each value's code, below the number of names. Raises ValueError.
    """
    count = len(names)
    planes = len(packed.planes) // count
    if len(packed.planes) % count or not 1 <= planes <= 8:
        raise ValueError(f"the values have {len(packed.planes)} bytes, not 1 to 8 per point")
    if packed.exponents.translate(None, _EXPONENTS):
        raise ValueError(f"an exponent is neither up to {MAX_EXPONENT} nor {RAW}")
    if not -(1 << 63) <= packed.base < 1 << 63:
        raise ValueError("the base is not a 64-bit integer")
    if not 0 <= packed.lag <= count:
        raise ValueError(f"the lag is {packed.lag}, of {count} points")
    each = bytearray(8 * count)
    for plane in range(planes):
        each[plane::8] = packed.planes[plane * count : (plane + 1) * count]
    if np := vectors(count):
        return _together(np.frombuffer(each, "<u8"), packed, names, np)
    return _one_by_one(struct.unpack(f"<{count}Q", each), packed, names)


def _one_by_one(numbers: Sequence[int], packed: Packed, names: array[int]) -> array[float]:
    count, lag = len(names), packed.lag
    if RAW not in packed.exponents and not _may_be_too_large(packed, count):
        integers = [number + packed.base for number in numbers]
        for row in range(lag, count) if lag else ():
            integers[row] += integers[row - lag]
        divisors = [*map(_POWERS.__getitem__, packed.exponents)]
        return array("d", map(truediv, integers, map(divisors.__getitem__, names)))
    bits = [number + packed.base & _BITS for number in numbers]
    for row in range(lag, count) if lag else ():
        bits[row] = bits[row] + bits[row - lag] & _BITS
    exponents = map(packed.exponents.__getitem__, names)
    signed = struct.unpack(f"<{count}q", struct.pack(f"<{count}Q", *bits))
    rows = zip(bits, signed, exponents, strict=True)
    return array("d", [from_bits(b) if e == RAW else _quotient(i, e) for b, i, e in rows])


def _quotient(integer: int, exponent: int) -> float:
    if abs(integer) > MAX_INTEGER:
        raise ValueError(TOO_LARGE)
    return integer / _POWERS[exponent]


def _together(numbers: Any, packed: Packed, names: array[int], np: Any) -> array[float]:
    if packed.base:
        numbers = numbers + np.uint64(packed.base & _BITS)
    if packed.lag:
        numbers = _summed(numbers, packed.lag, np)
    integers = numbers.view(np.int64)
    values = integers / _divisors(packed.exponents, names, np)
    raw = None
    if RAW in packed.exponents:
        raw = np.frombuffer(packed.exponents, np.uint8).take(names) == RAW
        values[raw] = integers.view(np.float64)[raw]
    if _may_be_too_large(packed, len(names)):
        too_large = (integers > MAX_INTEGER) | (integers < -MAX_INTEGER)
        if (too_large if raw is None else too_large & ~raw).any():
            raise ValueError(TOO_LARGE)
    return array("d", values.tobytes())


def _may_be_too_large(packed: Packed, count: int) -> bool:
    """Return whether the length of the planes leaves it open that an integer is too large."""
    largest = abs(packed.base) + (1 << 8 * len(packed.planes) // count)
    return largest * (count if packed.lag else 1) > MAX_INTEGER


def _divisors(exponents: bytes, names: array[int], np: Any) -> Any:
    if len(set(exponents)) == 1:
        return _POWERS[exponents[0]]
    return _all_powers(np).take(np.frombuffer(exponents, np.uint8)).take(names)


@cache
def _all_powers(np: Any) -> Any:
    return np.array([_POWERS.get(exponent, 1.0) for exponent in range(256)])


def _summed(found: Any, lag: int, np: Any) -> Any:
    """Return numbers from their differences to those `lag` rows before."""
    if lag == 1:
        return found.cumsum()
    count = len(found)
    rows = -(-count // lag)
    padded = np.zeros(rows * lag, np.uint64)
    padded[:count] = found
    return padded.reshape(rows, lag).cumsum(axis=0).ravel()[:count]
