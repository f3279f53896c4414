"""Sums of floats without rounding, by column.

A float is an integer times a power of two. Here sums are Python integers, in units of 2**-1126 (of
which every float is a multiple) for values and 2**-2252 for squares: nothing is rounded before the
one division at the end, so an answer does not depend on the order of the points.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

UNIT = 1 << 1126
"""Units in 1: `frexp` tells the smallest float as 0.5 times 2**-1073, and 53 bits make it whole."""

CHUNK = 1 << 20
"""Values at a time: sums of so many integers of 27 bits are exact as floats, and arrays small."""

HALF_BITS = 27


def exact_sum(values: Floats) -> int:
    """Return the sum of finite floats, in units of 1/UNIT."""
    total = 0
    for start in range(0, len(values), CHUNK):
        total += _total(*_split(values[start : start + CHUNK]))
    return total


def exact_sum_of_squares(values: Floats) -> int:
    """Return the sum of the squares of finite floats, in units of 1/UNIT**2."""
    total = 0
    for start in range(0, len(values), CHUNK):
        mantissas, exponents = _split(values[start : start + CHUNK])
        # (a * 2**27 + b)**2, each product below 2**54.
        high, low = _halves(np.abs(mantissas))
        doubled = 2 * exponents
        total += _total(high * high, doubled) << 2 * HALF_BITS
        total += _total(high * low, doubled) << HALF_BITS + 1
        total += _total(low * low, doubled)
    return total


def ratio(numerator: int, denominator: int) -> float:
    """Return the quotient rounded once; infinite where it is beyond a float."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if numerator > 0 else -math.inf


def deviation(count: int, total: int, squares: int) -> float:
    """Return the sample standard deviation from exact sums, rounded once; 0 for one value."""
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
    return ratio(root, UNIT << shift)


def _split(values: Floats) -> tuple[Integers, Integers]:
    """Return whole mantissas of 53 bits, and exponents of two from 0 on."""
    fractions, exponents = np.frexp(values)
    return (fractions * 2.0**53).astype(np.int64), exponents.astype(np.int64) + 1073


def _halves(integers: Integers) -> tuple[Integers, Integers]:
    return integers >> HALF_BITS, integers & (1 << HALF_BITS) - 1


def _total(integers: Integers, exponents: Integers) -> int:
    """Return the sum of integers, each times two to its exponent."""
    high, low = (np.bincount(exponents, weights=half) for half in _halves(integers))
    total = 0
    for exponent in np.flatnonzero(np.bincount(exponents)).tolist():
        both = (int(high[exponent]) << HALF_BITS) + int(low[exponent])
        total += both << exponent
    return total
