"""Numbers as Prometheus writes them in labels and messages, with the fewest exact digits."""

from __future__ import annotations

import math
from decimal import Decimal


def plain(value: float) -> str:
    """Return a number without an exponent, as in labels (`%f` of Go)."""
    return _special(value) or format(Decimal(repr(value)), "f").removesuffix(".0")


def general(value: float) -> str:
    """Return a number as in messages (`%g` of Go): an exponent below 1e-4 and from 1e6 on."""
    if special := _special(value):
        return special
    number = Decimal(repr(float(value)))
    if number and not -4 <= number.adjusted() < 6:
        digits, _, exponent = format(number.normalize(), "e").partition("e")
        return f"{digits}e{exponent[0]}{exponent[1:]:0>2}"
    return plain(float(value))


def _special(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return ""
