"""The compiled pass that writes the columns of a payload. The format: docs/event-format.md.

It writes MessagePack, since the columns are most of a payload, and handing them to an encoder one
by one takes longer than making them.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from secrets import randbits
from typing import NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from adapters.compiled_code import Program, compiled
from adapters.event_format.vectors import VECTORS_FROM
from domain.columns import CodedColumn
from domain.metric_point import TagSet

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

ROW_BYTES = 3 * 4 + 9 + 8
"""At most: three codes, a time and a value."""

OTHER_BYTES = 64
"""At most, apart from the rows and a byte per name: what begins each column, and two integers."""

_POWERS = tuple(10.0**exponent for exponent in range(MAX_EXPONENT + 1))
_MINUS_ZERO = -(1 << 63)
_NIL = 0xC0
_ARRAY_16, _ARRAY_32, _FEW = 0xDC, 0xDD, 0x90
_BIN_8, _BIN_16, _BIN_32 = 0xC4, 0xC5, 0xC6
_UINT_8, _UINT_16, _UINT_32, _UINT_64 = 0xCC, 0xCD, 0xCE, 0xCF
_INT_8, _INT_16, _INT_32, _INT_64 = 0xD0, 0xD1, 0xD2, 0xD3


class Columns(NamedTuple):
    """What is made of a batch. There is room for a number per row, and an exponent per name."""

    names: NDArray[np.uint32]  # codes
    tag_sets: NDArray[np.uint32]  # codes
    times: NDArray[np.uint32]  # codes
    distinct: NDArray[np.int64]  # times
    slots: NDArray[np.uint32]  # a hash table of their codes, each plus 1
    exponents: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    written: NDArray[np.uint8]


@compiled
def _big_endian(written, at, number, size):  # type: ignore[no-untyped-def]
    """Write an integer of `size` bytes; return where it ends."""
    for byte in range(size):
        shift = np.uint64(8 * (size - 1 - byte))
        written[at + byte] = (np.uint64(number) >> shift) & np.uint64(0xFF)
    return at + size


@compiled
def _integer(written, at, number):  # type: ignore[no-untyped-def]
    """Write an integer of MessagePack in its shortest form; return where it ends."""
    if -32 <= number < 1 << 7:
        kind, size = 0, 1
    elif 0 <= number < 1 << 8:
        kind, size = _UINT_8, 1
    elif 0 <= number < 1 << 16:
        kind, size = _UINT_16, 2
    elif 0 <= number < 1 << 32:
        kind, size = _UINT_32, 4
    elif number >= 0:
        kind, size = _UINT_64, 8
    elif number >= -(1 << 7):
        kind, size = _INT_8, 1
    elif number >= -(1 << 15):
        kind, size = _INT_16, 2
    elif number >= -(1 << 31):
        kind, size = _INT_32, 4
    else:
        kind, size = _INT_64, 8
    if kind:
        written[at] = kind
        at += 1
    return _big_endian(written, at, number, size)


@compiled
def _begin_array(written, at, length):  # type: ignore[no-untyped-def]
    """Write the beginning of an array; return where it ends."""
    if length < 16:
        written[at] = _FEW | length
        return at + 1
    size = 2 if length < 1 << 16 else 4
    written[at] = _ARRAY_16 if size == 2 else _ARRAY_32
    return _big_endian(written, at + 1, length, size)


@compiled
def _begin_bin(written, at, length):  # type: ignore[no-untyped-def]
    """Write the beginning of bytes; return where it ends."""
    size = 1 if length < 1 << 8 else 2 if length < 1 << 16 else 4
    written[at] = _BIN_8 if size == 1 else _BIN_16 if size == 2 else _BIN_32
    return _big_endian(written, at + 1, length, size)


@compiled
def _codes_of(body, at, width, codes):  # type: ignore[no-untyped-def]
    """Read a column of codes of 1, 2 or 4 bytes each; return where it ends."""
    for row in range(len(codes)):
        code = np.uint32(0)
        for byte in range(width):
            code |= np.uint32(body[at + byte]) << np.uint32(8 * byte)
        codes[row] = code
        at += width
    return at


@compiled
def _write_codes(written, at, codes, entries):  # type: ignore[no-untyped-def]
    """Write codes for a table of so many entries; return where they end."""
    if entries == 1:
        written[at] = _NIL
        return at + 1
    rows = len(codes)
    if entries <= 1 << 8:
        at = _begin_bin(written, at, rows)
        for row in range(rows):
            written[at + row] = codes[row]
        return at + rows
    width = 2 if entries <= 1 << 16 else 4
    at = _begin_bin(written, at, width * rows)
    before = np.uint32(0)
    for row in range(rows):
        difference = codes[row] - before
        for byte in range(width):
            written[at + byte] = (difference >> np.uint32(8 * byte)) & np.uint32(0xFF)
        before = codes[row]
        at += width
    return at


@compiled
def _code_times(times, codes, distinct, slots, seed):  # type: ignore[no-untyped-def]
    """Set the codes of times, and return how many distinct ones there are."""
    bits = np.int64(1)
    while (1 << bits) < 2 * len(times):
        bits += 1
    last = np.uint64((1 << bits) - 1)
    slots[: 1 << bits] = 0
    count = np.int64(0)
    for row in range(len(times)):
        time = times[row]
        if row and time == times[row - 1]:
            codes[row] = codes[row - 1]
            continue
        slot = (np.uint64(time) * seed) >> np.uint64(64 - bits)
        while slots[slot] and distinct[np.int64(slots[slot]) - 1] != time:
            slot = (slot + np.uint64(1)) & last
        if not slots[slot]:
            distinct[count] = time
            count += 1
            slots[slot] = count
        codes[row] = slots[slot] - 1
    return count


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
def _write_packed(written, at, codes, values, bits, exponents, numbers):  # type: ignore[no-untyped-def]
    """Write values as integers in byte planes; return where they end, 0 if it gains nothing."""
    rows = len(values)
    _find_exponents(codes, values, bits, exponents)
    for row in range(rows):
        exponent = exponents[codes[row]]
        if exponent == RAW:
            numbers[row] = bits[row]
        else:
            numbers[row] = np.int64(np.rint(values[row] * _POWERS[exponent]))
    lag = _best_lag(codes, numbers)
    if lag < 0:
        return 0
    base = _least(numbers, rows, lag)
    every = np.uint64(0)
    for row in range(rows):
        every |= np.uint64(_difference(numbers, row, lag) - base)
    planes = 1
    while every >> np.uint64(8):
        every >>= np.uint64(8)
        planes += 1
    at = _begin_bin(written, at, planes * rows)
    for row in range(rows):
        number = np.uint64(_difference(numbers, row, lag) - base)
        for plane in range(planes):
            written[at + plane * rows + row] = number & np.uint64(0xFF)
            number >>= np.uint64(8)
    at = _begin_bin(written, at + planes * rows, len(exponents))
    for name in range(len(exponents)):
        written[at + name] = exponents[name]
    at = _integer(written, at + len(exponents), base)
    return _integer(written, at, lag)


@compiled
def _write_floats(written, at, bits):  # type: ignore[no-untyped-def]
    """Write values as they are; return where they end."""
    at = _begin_bin(written, at, 8 * len(bits))
    for row in range(len(bits)):
        for byte in range(8):
            written[at + byte] = (np.uint64(bits[row]) >> np.uint64(8 * byte)) & np.uint64(0xFF)
        at += 8
    return at


@compiled
@no_type_check
def write(
    body: NDArray[np.uint8],
    rows: int,
    names: int,
    name_width: int,
    tag_sets: int,
    tag_width: int,
    packs: int,
    columns: Columns,
    seed: np.uint64,
) -> tuple[int, int]:
    """Write the columns of a payload; return their length, and whether the values are packed.

    `body` is the values and the times, 64-bit floats and integers of this machine, and then each
    row's codes of its name and of its tag set, of so many bytes each, for tables of so many `names`
    and `tag_sets`. Values are packed only if `packs` is not 0. `seed` is odd.
    """
    values = body[: 8 * rows].view(np.float64)
    bits = body[: 8 * rows].view(np.int64)
    times = body[8 * rows : 16 * rows].view(np.int64)
    written, name_codes = columns.written, columns.names[:rows]
    tag_codes, time_codes = columns.tag_sets[:rows], columns.times[:rows]
    after_names = _codes_of(body, 16 * rows, name_width, name_codes)
    _codes_of(body, after_names, tag_width, tag_codes)
    distinct = _code_times(times, time_codes, columns.distinct, columns.slots, seed)
    at = _begin_array(written, 0, distinct)
    before = np.int64(0)
    for number in range(distinct):
        at = _integer(written, at, columns.distinct[number] - before)
        before = columns.distinct[number]
    at = _write_codes(written, at, name_codes, names)
    at = _write_codes(written, at, tag_codes, tag_sets)
    at = _write_codes(written, at, time_codes, distinct)
    if packs:
        exponents = columns.exponents[:names]
        end = _write_packed(written, at, name_codes, values, bits, exponents, columns.numbers)
        if end:
            return end, 1
    return _write_floats(written, at, bits), 0


PROGRAM = Program("write", __name__)


class ColumnWriter:
    """Writes the columns of one batch after another, in arrays that it keeps. For one thread.

    Raises NotCompiled.
    """

    def __init__(self) -> None:
        self._bind = PROGRAM.load()
        self._seed = np.uint64(randbits(64) | 1)  # so that nobody can choose times that collide
        self._make_room(1 << 10)

    def written(
        self,
        names: CodedColumn[str],
        tag_sets: CodedColumn[TagSet],
        times: Sequence[int],
        values: array[float],
        *,
        packs: bool,
    ) -> tuple[bytes, bool]:
        """Return the columns of a payload, and whether the values in it are packed."""
        rows, kinds = len(values), len(names.table)
        if max(rows, kinds) > self._rows:
            self._make_room(2 * max(rows, kinds))
        length, is_packed = self._write(
            b"".join((values, _integers(times), names.codes, tag_sets.codes)),
            rows,
            kinds,
            names.codes.itemsize,
            len(tag_sets.table),
            tag_sets.codes.itemsize,
            packs,
        )
        return self._written[:length].tobytes(), bool(is_packed)

    def _make_room(self, rows: int) -> None:
        self._rows = rows
        columns = room_for(rows)
        self._written = columns.written
        self._write = self._bind(columns, self._seed)


def room_for(rows: int) -> Columns:
    """Return arrays for batches of at most so many rows, and as many names."""
    return Columns(
        names=np.zeros(rows, np.uint32),
        tag_sets=np.zeros(rows, np.uint32),
        times=np.zeros(rows, np.uint32),
        distinct=np.zeros(rows, np.int64),
        slots=np.zeros(4 * rows, np.uint32),
        exponents=np.zeros(rows, np.uint8),
        numbers=np.zeros(rows, np.int64),
        written=np.zeros((ROW_BYTES + 1) * rows + OTHER_BYTES, np.uint8),
    )


def _integers(times: Sequence[int]) -> array[int] | bytes:
    """Return times as 64-bit integers of this machine, one after another."""
    if isinstance(times, array):
        return times
    if isinstance(times, CodedColumn) and len(times) >= VECTORS_FROM:
        return np.array(times.table, np.int64).take(times.codes).tobytes()
    return array("q", [*times])
