"""Sums of columns of floats without rounding.

A float is an integer times a power of two. Sums here are Python integers with a common exponent.
Nothing is rounded before the one division at the end, so an answer does not depend on the order of
the points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from operator import lshift

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CHUNK = 1 << 13
"""Values at a time: few enough that sums of halves are exact floats and arrays fit the caches."""

MIN_EXPONENT = -1074
"""The smallest positive float is two to the power of this."""

MANTISSA_BITS = 52
STEP_BITS = 3
HALF_BITS = 31
SQUARED_HALF_BITS = 27


class Sums:
    """An exact sum per group: `totals[i]` times two to the power of `exponent`."""

    def __init__(self, groups: int) -> None:
        self.totals = [0] * groups
        self.exponent = 0

    def add(self, integers: Integers, exponents: Integers, groups: Integers) -> None:
        """Add integers of at most 54 bits, each times two to its exponent, to their groups' sums.

        `groups` ascend. Within a group, integers with similar exponents are summed by NumPy, in
        halves that are exact as floats. The few resulting sums are added as Python integers.
        """
        # Zero may have any exponent; its own is the smallest, far from those of other values.
        exponents = np.where(integers == 0, exponents.max(), exponents)
        steps = exponents >> STEP_BITS
        lowest, first = int(steps.min()), int(groups[0])
        width, count = int(steps.max()) - lowest + 1, int(groups[-1]) - first + 1
        cells = (groups - first) * width + (steps - lowest)
        aligned = integers << (exponents - (steps << STEP_BITS))
        high, low = aligned >> HALF_BITS, aligned & (1 << HALF_BITS) - 1
        sums = [
            np.bincount(cells, weights=half, minlength=count * width)
            .astype(np.int64)
            .reshape(count, width)
            .tolist()
            for half in (high, low)
        ]
        shifts = [self._unit(lowest << STEP_BITS) + (i << STEP_BITS) for i in range(width)]
        high_shifts = [shift + HALF_BITS for shift in shifts]
        for group, of_high, of_low in zip(range(first, first + count), *sums, strict=True):
            self.totals[group] += sum(map(lshift, of_high, high_shifts))
            self.totals[group] += sum(map(lshift, of_low, shifts))

    def _unit(self, exponent: int) -> int:
        """Lower the common exponent to `exponent` if it is higher; return the remaining shift."""
        if not any(self.totals):
            self.exponent = exponent
        elif exponent < self.exponent:
            self.totals = [total << self.exponent - exponent for total in self.totals]
            self.exponent = exponent
        return exponent - self.exponent


def exact_sums(values: Floats, starts: Integers) -> Sums:
    """Return the sum of each group of finite floats.

    Group i is `values[starts[i]:starts[i + 1]]`; the last extends to the end. None is empty.
    """
    sums = Sums(len(starts))
    for chunk, groups in _chunks(values, starts):
        sums.add(*_split(chunk), groups)
    return sums


def exact_sums_of_squares(values: Floats, starts: Integers) -> Sums:
    """Return the sum of the squares of each group of finite floats."""
    sums = Sums(len(starts))
    for chunk, groups in _chunks(values, starts):
        mantissas, exponents = _split(chunk)
        # (a * 2**27 + b)**2, each product below 2**54.
        sizes = np.abs(mantissas)
        high, low = sizes >> SQUARED_HALF_BITS, sizes & (1 << SQUARED_HALF_BITS) - 1
        doubled = 2 * exponents
        sums.add(high * high, doubled + 2 * SQUARED_HALF_BITS, groups)
        sums.add(high * low, doubled + SQUARED_HALF_BITS + 1, groups)
        sums.add(low * low, doubled, groups)
    return sums


def ratio(numerator: int, denominator: int, exponent: int) -> float:
    """Return the quotient times two to the exponent, rounded once; infinite beyond a float."""
    if exponent > 0:
        numerator <<= exponent
    else:
        denominator <<= -exponent
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


def deviation(count: int, total: int, squares: int, exponent: int) -> float:
    """Return the sample standard deviation, rounded once; 0 for one value.

    `total` is the values' sum in units of two to the exponent, `squares` that of their squares in
    units of its square.
    """
    if count == 1:
        return 0.0
    numerator = count * squares - total * total
    denominator = count * (count - 1)
    # The root of an integer of 128 bits or more, rounded to odd: rounding it once more, to the
    # nearest float, gives what rounding the true root would.
    shift = max(0, 128 + denominator.bit_length() - numerator.bit_length() + 1) // 2
    scaled = numerator << 2 * shift
    root = math.isqrt(scaled // denominator)
    if root * root * denominator != scaled:
        root |= 1
    return ratio(root, 1, exponent - shift)


def deviations(counts: list[int], sums: Sums, squares: Sums) -> list[float]:
    """Return each group's sample standard deviation."""
    # One unit for both: that of the squares is always small enough.
    exponent = min(sums.exponent, squares.exponent // 2)
    up, squares_up = sums.exponent - exponent, squares.exponent - 2 * exponent
    return [
        deviation(count, total << up, square << squares_up, exponent)
        for count, total, square in zip(counts, sums.totals, squares.totals, strict=True)
    ]


def counts(starts: Integers, end: int) -> Integers:
    """Return how many values each group has."""
    found = np.empty_like(starts)
    found[:-1] = starts[1:]
    found[-1] = end
    return found - starts


def _split(values: Floats) -> tuple[Integers, Integers]:
    """Return 53-bit integer mantissas and binary exponents, split from the IEEE 754 bits.

    Takes a quarter of the time of `frexp`.
    """
    bits = values.view(np.int64)
    signs = bits >> 63
    exponents = bits >> MANTISSA_BITS & 0x7FF
    normal = exponents != 0
    mantissas = (bits & (1 << MANTISSA_BITS) - 1) + (normal.astype(np.int64) << MANTISSA_BITS)
    return (mantissas ^ signs) - signs, exponents - normal + MIN_EXPONENT


def _chunks(values: Floats, starts: Integers) -> Iterator[tuple[Floats, Integers]]:
    """Yield chunks of the values, with the group number of each value."""
    groups = np.repeat(np.arange(len(starts)), counts(starts, len(values)))
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK], groups[start : start + CHUNK]
