"""Exponential histograms as cumulative buckets with upper bounds.

OpenTelemetry's exponential histograms and Prometheus' native histograms are one kind: bounds are
powers of 2 ** (2 ** -scale). Sources: OpenTelemetry metrics data model, "ExponentialHistogram";
Prometheus "Native Histograms", "Data model".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from domain.errors import DomainError

MAX_BUCKETS = 2000
"""Buckets of one histogram that are converted. Clients have 160 by default."""


class TooManyBuckets(DomainError):
    """A histogram has more buckets than are converted."""


def cumulative_buckets(
    scale: int,
    zero_threshold: float,
    zero_count: float,
    positive: Sequence[tuple[int, float]],
    negative: Sequence[tuple[int, float]],
) -> Iterator[tuple[float, float]]:
    """Yield (upper bound, count of observations up to it) in ascending order, without infinity.

    `positive` and `negative` have (index, count) per bucket, ascending by index. A positive bucket
    with index i holds values above base ** i and up to base ** (i + 1), where base is
    2 ** (2 ** -scale); a negative one the same with both signs changed. A side without an
    observation has no buckets, however many were sent. Raises TooManyBuckets.
    """
    if len(positive) + len(negative) > MAX_BUCKETS:
        raise TooManyBuckets(f"the histogram has more than {MAX_BUCKETS} buckets")
    # OpenTelemetry's SDK for Python sends such a side as one bucket with a count of zero.
    positive, negative = _observed(positive), _observed(negative)
    total = 0.0
    for index, count in reversed(negative):
        total += count
        yield -power(scale, index), total
    if zero_count or negative:
        total += zero_count
        yield zero_threshold, total
    for index, count in positive:
        total += count
        yield power(scale, index + 1), total


def _observed(side: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    return side if any(count for _, count in side) else ()


def power(scale: int, exponent: int) -> float:
    """Return base ** exponent, infinite or zero where a float cannot hold it."""
    try:
        return math.pow(2.0, math.ldexp(exponent, -scale))
    except OverflowError:
        return math.inf


def number_text(number: float) -> str:
    """Return a number as Prometheus writes it: `0.5`, `10`, `1e-05`, `+Inf`, `-Inf`, `NaN`."""
    if math.isfinite(number):
        return repr(number).removesuffix(".0")
    return "NaN" if math.isnan(number) else "+Inf" if number > 0 else "-Inf"
