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

MIN_NORMAL = 2.0**-1022
"""The smallest float with all bits of a mantissa."""

MANTISSA_BITS = 52

MAX_SIZE = (1 << 63) - 1
"""The bits of a float without its sign."""

CLOSE_SHIFT = 23
CLOSE_HALF_BITS = 27
"""Halves of integers of 54 bits have 27. A chunk of them, shifted by as much, sums to 63 bits."""

STEP_BITS = 3
HALF_BITS = 31
SQUARED_HALF_BITS = 27


class Sums:
    """An exact sum per group: `totals[i]` times two to the power of `exponent`."""

    def __init__(self, groups: int) -> None:
        self.totals = [0] * groups
        self.exponent = 0

    def add(self, integers: Integers, exponents: Integers, starts: Integers, first: int) -> None:
        """Add integers of at most 54 bits, each times two to its exponent, to their groups' sums.

        The groups from number `first` on begin at `starts`. NumPy sums the integers of each group
        in halves, exactly. The few resulting sums are added as Python integers.
        """
        # Zero may have any exponent; its own is the smallest, far from those of other values.
        exponents = np.where(integers == 0, exponents.max(), exponents)
        lowest = int(exponents.min())
        if int(exponents.max()) - lowest <= CLOSE_SHIFT:
            self._add_close(integers, exponents - lowest, lowest, starts, first)
        else:
            self._add_any(integers, exponents, starts, first)

    def _add_close(
        self, integers: Integers, shifts: Integers, exponent: int, starts: Integers, first: int
    ) -> None:
        """Add integers times two to the sum of `exponent` and their shifts, at most CLOSE_SHIFT."""
        high, low = integers >> CLOSE_HALF_BITS, integers & (1 << CLOSE_HALF_BITS) - 1
        of_high, of_low = (np.add.reduceat(half << shifts, starts).tolist() for half in (high, low))
        shift = self._unit(exponent)
        for group, (upper, lower) in enumerate(zip(of_high, of_low, strict=True), first):
            self.totals[group] += (upper << CLOSE_HALF_BITS) + lower << shift

    def _add_any(
        self, integers: Integers, exponents: Integers, starts: Integers, first: int
    ) -> None:
        """Add integers, which are summed with others of similar exponents, in steps of those.

        Their halves are so small that their sums are exact as floats.
        """
        groups = np.repeat(np.arange(len(starts)), counts(starts, len(integers)))
        steps = exponents >> STEP_BITS
        lowest = int(steps.min())
        width, count = int(steps.max()) - lowest + 1, len(starts)
        cells = groups * width + (steps - lowest)
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
        for group, (of_high, of_low) in enumerate(zip(*sums, strict=True), first):
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
    for chunk, groups, first in _chunks(values, starts):
        sums.add(*_split(chunk), groups, first)
    return sums


def exact_sums_of_squares(values: Floats, starts: Integers) -> Sums:
    """Return the sum of the squares of each group of finite floats."""
    sums = Sums(len(starts))
    for chunk, groups, first in _chunks(values, starts):
        mantissas, exponents = _split(chunk)
        # (a * 2**27 + b)**2, each product below 2**54.
        sizes = np.abs(mantissas)
        high, low = sizes >> SQUARED_HALF_BITS, sizes & (1 << SQUARED_HALF_BITS) - 1
        doubled = 2 * exponents
        sums.add(high * high, doubled + 2 * SQUARED_HALF_BITS, groups, first)
        sums.add(high * low, doubled + SQUARED_HALF_BITS + 1, groups, first)
        sums.add(low * low, doubled, groups, first)
    return sums


def are_close(values: Floats) -> bool:
    """Return whether sums of the values are fast: their exponents differ by no more than 23.

    Takes a tenth of the time of the sums.
    """
    sizes = values.view(np.int64) & MAX_SIZE
    largest, smallest = int(sizes.max(initial=0)), int(sizes.min(initial=MAX_SIZE))
    if not smallest:
        smallest = int(sizes.min(initial=MAX_SIZE, where=sizes != 0))
    # Without an exponent of their own, the smallest numbers have that of the next larger ones.
    least = max(1, smallest >> MANTISSA_BITS)
    return (largest >> MANTISSA_BITS) - least <= CLOSE_SHIFT


def ratio(numerator: int, denominator: int, exponent: int) -> float:
    """Return the quotient times two to the exponent, rounded once; infinite beyond a float."""
    try:
        quotient = numerator / denominator
        found = math.ldexp(quotient, exponent)
        if abs(quotient) >= MIN_NORMAL <= abs(found):
            return found
    except OverflowError:
        pass
    # The quotient is beyond a float, or was rounded again.
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


def _chunks(values: Floats, starts: Integers) -> Iterator[tuple[Floats, Integers, int]]:
    """Yield chunks of the values, each with the starts of its groups and the first one's number."""
    if len(values) <= CHUNK:
        yield values, starts, 0
        return
    for at in range(0, len(values), CHUNK):
        first = int(np.searchsorted(starts, at, "right")) - 1
        end = np.searchsorted(starts, at + CHUNK)
        yield values[at : at + CHUNK], np.maximum(starts[first:end] - at, 0), first
