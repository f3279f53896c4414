"""The compiled pass that packs the values of a batch. The format: docs/event-format.md."""

from __future__ import annotations

from array import array
from typing import no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import Program, compiled
from adapters.event_format.packing import PackedValues
from domain.columns import CodedColumn

RAW = 255
MAX_EXPONENT = 22
"""10**22 is the last power of ten that a float has exactly."""

MAX_INTEGER = float(1 << 53)
"""The quotient of two floats that are exact integers is rounded once: it is what parsing the
decimal number gives. So a value that equals the quotient is kept in all its bits."""

SAMPLE = 128
"""Rows by which the lag is chosen."""

MOST_DIGITS = 15
"""Hexadecimal digits of a number, on average, above which packing gains nothing."""

_POWERS = tuple(10.0**exponent for exponent in range(MAX_EXPONENT + 1))
_MINUS_ZERO = -(1 << 63)


@compiled
def _is_decimal(value, bits, exponent):  # type: ignore[no-untyped-def]
    """Return whether a value is an integer over this power of ten, in all its bits."""
    power = _POWERS[exponent]
    integer = np.rint(value * power)
    return abs(integer) <= MAX_INTEGER and integer / power == value and bits != _MINUS_ZERO


@compiled
def _find_exponents(codes, values, bits, exponents):  # type: ignore[no-untyped-def]
    """Set each name's exponent: the smallest that makes integers of all its values, else RAW."""
    exponents[:] = 0
    for row in range(len(values)):
        exponent = np.int64(exponents[codes[row]])
        if exponent == RAW:
            continue
        while not _is_decimal(values[row], bits[row], exponent):
            exponent += 1
            if exponent > MAX_EXPONENT:
                exponent = np.int64(RAW)
                break
        exponents[codes[row]] = exponent
    # A later value's exponent may make too large an integer of an earlier one.
    for row in range(len(values)):
        exponent = exponents[codes[row]]
        if exponent != RAW and not _is_decimal(values[row], bits[row], exponent):
            exponents[codes[row]] = RAW


@compiled
def _difference(numbers, row, lag):  # type: ignore[no-untyped-def]
    """Return a number less the one `lag` rows before."""
    return numbers[row] - numbers[row - lag] if 0 < lag <= row else numbers[row]


@compiled
def _least(numbers, rows, lag):  # type: ignore[no-untyped-def]
    least = np.int64(numbers[0])
    for row in range(1, rows):
        least = min(least, _difference(numbers, row, lag))
    return least


@compiled
def _digits(numbers, rows, lag):  # type: ignore[no-untyped-def]
    """Return how many hexadecimal digits the first rows take, each less the least of them."""
    least = _least(numbers, rows, lag)
    digits = np.int64(0)
    for row in range(rows):
        left = np.uint64(_difference(numbers, row, lag) - least)
        while left:
            left >>= np.uint64(4)
            digits += 1
    return digits


@compiled
def _best_lag(codes, numbers):  # type: ignore[no-untyped-def]
    """Return 0, unless differences to the row before are a good deal smaller, or those to as far
    before as the first name's next row. Return -1 if all of them are hardly smaller than floats.
    """
    rows = min(len(codes), SAMPLE)
    period = 1
    while period < rows - 1 and codes[period] != codes[0]:
        period += 1
    best, fewest = 0, _digits(numbers, rows, 0)
    for lag in (1, period):
        digits = _digits(numbers, rows, lag)
        if 8 * digits < 7 * fewest:
            best, fewest = lag, digits
    return best if fewest < MOST_DIGITS * rows else -1


@compiled
@no_type_check
def pack(
    body: NDArray[np.uint8],
    kinds: int,
    all_codes: NDArray[np.uint32],
    all_exponents: NDArray[np.uint8],
    numbers: NDArray[np.int64],
    planes: NDArray[np.uint8],
) -> tuple[int, int, int]:
    """Pack values into byte planes. Return their number, the base and the lag: no planes if it
    gains nothing.

    `body` is the values, 64-bit floats of this machine, and `all_codes` begins with each value's
    name. Sets the exponents of the `kinds` of names. `numbers` has room for an integer per value,
    `planes` for eight bytes.
    """
    values, bits = body.view(np.float64), body.view(np.int64)
    codes, exponents = all_codes[: len(values)], all_exponents[:kinds]
    _find_exponents(codes, values, bits, exponents)
    for row in range(len(values)):
        exponent = exponents[codes[row]]
        if exponent == RAW:
            numbers[row] = bits[row]
        else:
            numbers[row] = np.int64(np.rint(values[row] * _POWERS[exponent]))
    lag = _best_lag(codes, numbers)
    if lag < 0:
        return 0, np.int64(0), 0
    base = _least(numbers, len(values), lag)
    every = np.uint64(0)
    for row in range(len(values)):
        every |= np.uint64(_difference(numbers, row, lag) - base)
    count = 1
    while every >> np.uint64(8):
        every >>= np.uint64(8)
        count += 1
    for row in range(len(values)):
        number = np.uint64(_difference(numbers, row, lag) - base)
        for plane in range(count):
            planes[plane * len(values) + row] = number & np.uint64(0xFF)
            number >>= np.uint64(8)
    return count, base, lag


PROGRAM = Program("pack", __name__)


class Packer:
    """Packs the values of one batch after another, in arrays that it keeps. For one thread.

    Raises NotCompiled.
    """

    def __init__(self) -> None:
        self._bind = PROGRAM.load()
        self._make_room(1 << 10)

    def packed(self, names: CodedColumn[str], values: array[float]) -> PackedValues | None:
        """Return values in packed form, or None if they are better kept as floats."""
        rows, kinds = len(values), len(names.table)
        if max(rows, kinds) > self._rows:
            self._make_room(2 * max(rows, kinds))
        self._codes[:rows] = names.codes
        count, base, lag = self._pack(values.tobytes(), kinds)
        if not count:
            return None
        planes = self._planes[: count * rows].tobytes()
        return planes, self._exponents[:kinds].tobytes(), base, lag

    def _make_room(self, rows: int) -> None:
        self._rows = rows
        self._codes = np.empty(rows, np.uint32)
        self._exponents = np.empty(rows, np.uint8)
        self._planes = np.empty(8 * rows, np.uint8)
        numbers = np.empty(rows, np.int64)
        self._pack = self._bind(self._codes, self._exponents, numbers, self._planes)
