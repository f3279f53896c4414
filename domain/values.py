"""Values of points: any 64-bit float, and how those that are not finite are written as text."""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Sequence

STALE_BITS = 0x7FF0000000000002
"""The bits of Prometheus' stale marker, a NaN that ends a series.

Source: `StaleNaN` in model/value/value.go of github.com/prometheus/prometheus.
"""

NAN_BITS = 0x7FF8000000000000
"""The bits of the ordinary NaN."""

_as_double = struct.Struct("<d")
_as_bits = struct.Struct("<Q")


def bits_of(value: float) -> int:
    """Return the 64 bits of a float. They tell NaNs apart, which no comparison does."""
    bits: int = _as_bits.unpack(_as_double.pack(value))[0]
    return bits


def from_bits(bits: int) -> float:
    """Return the float with these 64 bits."""
    value: float = _as_double.unpack(_as_bits.pack(bits))[0]
    return value


STALE = from_bits(STALE_BITS)


def is_stale(value: float) -> bool:
    """Return whether a value is Prometheus' stale marker."""
    return value != value and bits_of(value) == STALE_BITS


def all_finite(values: Sequence[float]) -> bool:
    """Return whether no value is NaN or infinite."""
    # A finite sum has finite terms only. An infinite one may be an overflow of finite terms.
    return math.isfinite(sum(values)) or all(map(math.isfinite, values))


def same_bits(values: Sequence[float], others: Sequence[float]) -> bool:
    """Return whether two columns have the same floats, bit for bit."""
    return array("d", values).tobytes() == array("d", others).tobytes()


TEXTS = {"NaN": from_bits(NAN_BITS), "+Inf": math.inf, "-Inf": -math.inf, "stale": STALE}
"""The values that are not finite, by the text for them. JSON and CSV have no other form of them."""


def value_text(value: float) -> str:
    """Return the text of TEXTS for a value that is not finite. All NaNs but one are `NaN`."""
    if value != value:
        return "stale" if is_stale(value) else "NaN"
    return "+Inf" if value > 0 else "-Inf"


def number_or_text(value: float) -> float | str:
    """Return a finite value unchanged, and the text of any other."""
    return value if math.isfinite(value) else value_text(value)
