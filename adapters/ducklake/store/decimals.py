"""Values as decimals, which Parquet stores in far fewer bytes than doubles.

Most metrics have few decimals: 0.1 is 1 / 10. A double near it has 52 bits that look random, and
the difference of two such doubles is no better. So a value is stored as `digits`, an integer, and
`divisor`, a power of ten, if their quotient is that very value. Parquet then stores differences of
digits, in as many bits as the largest of a few hundred needs. Every other value is in the column
`value`, which is null otherwise.

All values of a metric that are written at once have the same divisor, since differences would be
large where it changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_Column = npt.NDArray[Any]

SQL = "coalesce(value, digits / divisor)"
"""The value of a row. A quotient of integers up to 2**53 is rounded once, to the nearest double."""

MAX_DECIMALS = 9

MAX_DIGITS = 1 << 53
"""Integers below this are doubles without being rounded."""

MIN_SHARE = 0.75
"""A metric of which less than this share are decimals is stored as doubles: in a column that is
null here and there, each row takes a bit more."""


def as_decimals(values: _Column, metrics: _Column) -> dict[str, pa.Array]:
    """Return the columns `value`, `digits` and `divisor` for values of the metrics of these codes.

    Zeros have to be unsigned.
    """
    decimals = _decimals(values)
    found = decimals >= 0
    most = np.zeros(int(metrics.max(initial=0)) + 1, np.int8)
    np.maximum.at(most, metrics[found], decimals[found])
    share = np.bincount(metrics, found, len(most)) / np.maximum(np.bincount(metrics), 1)
    divisors = (10.0 ** np.arange(MAX_DECIMALS + 1))[most[metrics]]
    digits, has = _digits(values, divisors)
    found &= has & (share >= MIN_SHARE)[metrics]
    return {
        "value": pa.array(values, mask=found),
        "digits": pa.array(np.where(found, digits, 0).astype(np.int64), mask=~found),
        "divisor": pa.array(divisors.astype(np.int32), mask=~found),
    }


def _decimals(values: _Column) -> _Column:
    """Return how many decimals each value has, -1 if more than MAX_DECIMALS."""
    found = np.full(len(values), -1, np.int8)
    rows, left = np.arange(len(values)), values
    for decimals in range(MAX_DECIMALS + 1):
        _, has = _digits(left, 10.0**decimals)
        found[rows[has]] = decimals
        rows, left = rows[~has], left[~has]
        if not len(left):
            break
    return found


def _digits(values: _Column, divisors: _Column | float) -> tuple[_Column, _Column]:
    """Return integers, and which of them divided by their divisor are exactly their value."""
    with np.errstate(over="ignore", invalid="ignore"):  # those are not
        digits = np.rint(values * divisors)
        return digits, (digits / divisors == values) & (np.abs(digits) < MAX_DIGITS)
