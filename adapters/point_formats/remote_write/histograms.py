"""Native histograms as classic ones: cumulative buckets, their count and their sum.

Source: Prometheus, "Native Histograms", "Data model" and "Protobuf format".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Any

from adapters.point_formats.buckets import (
    MAX_BUCKETS,
    TooManyBuckets,
    cumulative_buckets,
    number_text,
)
from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from adapters.point_formats.remote_write.labels import Identity, with_bound
from application.publishing.refusals import Reason
from domain.metric_point import TagSet
from domain.values import STALE, is_stale

CUSTOM_SCHEMA = -53
SCHEMAS = range(-9, 53)
"""Exponential schemas ("Schema"): -4 to 8 are in use, and the others reserved for more of them."""

Row = tuple[str, float, TagSet]
"""A point's name, value and tags."""


def histogram_rows(identity: Identity, histogram: Any) -> list[Row]:
    """Return the points of a Histogram message, all of which have its time. Raises Unmappable.

    Buckets without observations are left out, as the histogram itself leaves them out. A stale
    marker does not say which buckets there were: the count, the sum and the last bucket become
    stale.
    """
    stale = is_stale(histogram.sum)
    count = STALE if stale else float(_count(histogram))
    bucket, total, sum_ = (
        mapped_metric_name(f"{identity.name}{suffix}") for suffix in ("_bucket", "_count", "_sum")
    )
    rows = [
        (bucket, below, with_bound(identity, number_text(bound)))
        for bound, below in (() if stale else _buckets(histogram, count))
    ]
    return [
        *rows,
        (bucket, count, with_bound(identity, "+Inf")),
        (total, count, identity.tags),
        (sum_, histogram.sum, identity.tags),
    ]


def _count(histogram: Any) -> float:
    kind = histogram.WhichOneof("count")
    return getattr(histogram, kind) if kind else 0


def _buckets(histogram: Any, count: float) -> Sequence[tuple[float, float]]:
    """Return (upper bound, observations up to it) of the finite buckets, by bound."""
    positive = _indexed(
        histogram.positive_spans, histogram.positive_deltas, histogram.positive_counts
    )
    negative = _indexed(
        histogram.negative_spans, histogram.negative_deltas, histogram.negative_counts
    )
    try:
        if histogram.schema == CUSTOM_SCHEMA:
            found = [*_custom(histogram, positive)]
        else:
            found = [*_exponential(histogram, positive, negative)]
    except TooManyBuckets:
        raise _too_many_buckets() from None
    finite = {bound + 0.0: total for bound, total in found if math.isfinite(bound)}  # no -0.0
    if not all(low < high for low, high in pairwise(finite)):
        raise _invalid("its buckets overlap")
    # Rounding apart, which only counts that are not whole numbers have.
    if found and found[-1][1] > count and histogram.WhichOneof("count") != "count_float":
        raise _invalid("its buckets have more observations than its count")
    return [*finite.items()]


def _exponential(
    histogram: Any, positive: Sequence[tuple[int, float]], negative: Sequence[tuple[int, float]]
) -> Iterator[tuple[float, float]]:
    """Yield the buckets of a standard schema, their bounds powers of one base ("Schema").

    The bucket of index i reaches up to base ** i here, and to base ** (i + 1) in
    `cumulative_buckets`.
    """
    if histogram.schema not in SCHEMAS:
        raise Unmappable(
            Reason.UNSUPPORTED, f"the histogram's schema {histogram.schema} is unknown"
        )
    if math.isnan(histogram.zero_threshold):
        raise _invalid("its zero threshold is not a number")
    kind = histogram.WhichOneof("zero_count")
    zero_count = getattr(histogram, kind) if kind else 0
    if not zero_count >= 0:
        raise _invalid("a bucket has fewer than no observations")
    return cumulative_buckets(
        histogram.schema,
        histogram.zero_threshold,
        float(zero_count),
        [(index - 1, observed) for index, observed in positive],
        [(index - 1, observed) for index, observed in negative],
    )


def _custom(histogram: Any, positive: Sequence[tuple[int, float]]) -> Iterator[tuple[float, float]]:
    """Yield custom buckets ("Custom buckets"): index i reaches up to the i-th custom value.

    The index after the last one is that of the bucket up to infinity.
    """
    bounds = histogram.custom_values
    if len(bounds) > MAX_BUCKETS:
        raise _too_many_buckets()
    if any(map(math.isnan, bounds)):
        raise _invalid("a custom value is not a number")
    if positive and not 0 <= positive[0][0] <= positive[-1][0] <= len(bounds):
        raise _invalid("a bucket has no custom value")
    totals = accumulate(observed for _, observed in positive)
    for (index, _), total in zip(positive, totals, strict=True):
        yield (bounds[index] if index < len(bounds) else math.inf), total


def _indexed(
    spans: Any, deltas: Sequence[int], counts: Sequence[float]
) -> Sequence[tuple[int, float]]:
    """Return (index, observations) of each bucket, ascending by index ("Spans and deltas").

    Histograms of integers have deltas: each bucket's difference from the one before.
    """
    if max(len(deltas), len(counts), len(spans)) > MAX_BUCKETS:
        raise _too_many_buckets()
    if deltas and counts:
        raise _invalid("its buckets have deltas and counts")
    observed: Iterable[float] = accumulate(deltas) if deltas else counts
    lengths = [span.length for span in spans]
    if sum(lengths) != len(deltas) + len(counts):
        raise _invalid(f"its spans are of {sum(lengths)} buckets, not {len(deltas) + len(counts)}")
    indexes: list[int] = []
    at = 0
    for number, span in enumerate(spans):
        if number and span.offset < 0:
            raise _invalid("its spans overlap")
        at += span.offset
        indexes += range(at, at + span.length)
        at += span.length
    found = [*zip(indexes, map(float, observed), strict=True)]
    if not all(each >= 0 for _, each in found):
        raise _invalid("a bucket has fewer than no observations")
    return found


def _invalid(fault: str) -> Unmappable:
    return Unmappable(Reason.VALUE, f"the histogram is invalid: {fault}")


def _too_many_buckets() -> Unmappable:
    return Unmappable(Reason.UNSUPPORTED, f"the histogram has more than {MAX_BUCKETS} buckets")
