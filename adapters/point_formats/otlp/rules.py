"""The rules: which points a metric becomes.

"Data model" is the OpenTelemetry specification's "Metrics data model", "proto" the comments in
`opentelemetry/proto/metrics/v1/metrics.proto`, and "compatibility" the specification's "Prometheus
and OpenMetrics Compatibility". A data point is stored whole or refused whole, as one point: it may
become many, such as a histogram's buckets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

from msgspec import Struct

from adapters.point_formats.buckets import MAX_BUCKETS, TooManyBuckets, cumulative_buckets
from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from adapters.point_formats.otlp.attributes import with_tag
from adapters.point_formats.point_columns import PointColumns
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_point import TagSet, timestamp_fault
from domain.values import STALE

NANOSECONDS = 1_000_000
"""Nanoseconds of a millisecond."""

NO_RECORDED_VALUE = 1
"""The flag of a data point that ends its series (proto, "DataPointFlags")."""

JSON_NAMES = {
    "gauge": "gauge",
    "sum": "sum",
    "histogram": "histogram",
    "exponential_histogram": "exponentialHistogram",
    "summary": "summary",
}
"""The fields of a metric's data, with the names that they have in JSON and in places."""


NOTHING: Mapping[int, str] = {}


class Sample(Struct, frozen=True, gc=False):
    """One of the points that a data point becomes.

    `suffix` follows the metric's name. `bound` is the value of the tag `label`, if there is one.
    """

    suffix: str
    value: float
    label: str = ""
    bound: float = 0.0


TagsOf = Callable[[TagSet, Sequence[Any]], TagSet]
"""Returns the tags of a data point, given its resource's and its attributes. Raises Unmappable."""


class MetricRules:
    """Adds metrics to columns, data point by data point.

    The attributes of data points may be in any form that `tags_of` understands.
    """

    def __init__(self, tags_of: TagsOf) -> None:
        self._tags_of = tags_of
        self._names: Memo[str, str] = Memo(mapped_metric_name, lambda text, _: 2 * len(text))
        self._bounds: Memo[tuple[TagSet, str, float], TagSet] = Memo(
            lambda key: with_tag(*key), lambda _, tags: tags.size()
        )

    def add(
        self,
        columns: PointColumns,
        place: str,
        metric: Any,
        resource: TagSet,
        *,
        first: int = 0,
        invalid: Mapping[int, str] = NOTHING,
    ) -> None:
        """Add a Metric message; `place` is its JSON pointer in the body.

        `first` is the index of its first data point, if others were added before. `invalid` says
        what is wrong with data points that could not be read. Raises BodyTooLarge.
        """
        kind = metric.WhichOneof("data")
        if kind is None:  # a metric without data points, or of a kind that is not known yet
            return
        samples_of = _SAMPLES[kind]
        for index, point in enumerate(getattr(metric, kind).data_points, first):
            at = f"{place}/{JSON_NAMES[kind]}/dataPoints/{index}"
            if fault := invalid.get(index):
                columns.refused.add(at, Reason.SYNTAX, fault)
                continue
            try:
                timestamp = _timestamp(point.time_unix_nano, columns.latest)
                tags = self._tags_of(resource, point.attributes)
                samples = [*samples_of(point)]
                names = [self._names[metric.name + sample.suffix] for sample in samples]
                tag_sets = [
                    self._bounds[tags, sample.label, sample.bound] if sample.label else tags
                    for sample in samples
                ]
            except Unmappable as refusal:
                columns.refused.add(at, refusal.reason, str(refusal))
                continue
            for name, sample, tag_set in zip(names, samples, tag_sets, strict=True):
                columns.add(at, name, timestamp, sample.value, tag_set)


def _timestamp(nanoseconds: int, latest: int) -> int:
    """Return the time in milliseconds. Raises Unmappable."""
    if (
        not nanoseconds
    ):  # "Data points with the 0 value for TimeUnixNano SHOULD be rejected" (proto)
        raise Unmappable(Reason.TIME, "timeUnixNano is missing")
    milliseconds = nanoseconds // NANOSECONDS
    if fault := timestamp_fault(milliseconds, latest):
        raise Unmappable(Reason.TIME, f"timeUnixNano {fault}")
    return milliseconds


def _is_stale(point: Any) -> bool:
    return bool(point.flags & NO_RECORDED_VALUE)


def number_value(point: Any) -> float:
    """Return the value of a NumberDataPoint (proto). Raises Unmappable.

    An integer that a float cannot hold is rounded to the nearest one.
    """
    if _is_stale(point):
        return STALE
    match point.WhichOneof("value"):
        case "as_double":
            return float(point.as_double)
        case "as_int":
            return float(point.as_int)
    raise Unmappable(Reason.VALUE, "has neither asDouble nor asInt")


def _number(point: Any) -> Iterator[Sample]:
    """Gauge and sum (data model, "Gauge" and "Sums"): the value as sent, delta or cumulative."""
    yield Sample("", number_value(point))


def _histogram(point: Any) -> Iterator[Sample]:
    """Histogram (data model, "Histogram"; compatibility, "Histograms"). Raises Unmappable."""
    bounds, counts = point.explicit_bounds, point.bucket_counts
    if len(bounds) > MAX_BUCKETS:
        raise _too_many_buckets()
    if not _ascending(bounds):
        raise Unmappable(Reason.SYNTAX, "explicitBounds must be strictly increasing")
    stale = _is_stale(point)
    # A data point without a value may leave out the counts. Its buckets are those of its bounds.
    if len(counts) != len(bounds) + 1 and (bounds or counts) and not stale:
        detail = f"has {len(counts)} bucketCounts for {len(bounds)} explicitBounds"
        raise Unmappable(Reason.SYNTAX, detail)
    totals = [STALE] * len(bounds) if stale else map(float, accumulate(counts))
    # The bucket up to infinity has all: `count`, so that the two never differ.
    buckets = zip(bounds, totals, strict=False)
    # Adding zero turns -0.0 into 0.0, which is the same bound.
    yield from _distribution(point, ((b + 0.0, n) for b, n in buckets if b != math.inf))


def _exponential_histogram(point: Any) -> Iterator[Sample]:
    """Exponential histogram (data model, "ExponentialHistogram"), as buckets with bounds.

    Bounds that a float cannot tell apart are one. Raises Unmappable.
    """
    if _is_stale(point):
        yield from _distribution(point, ())
        return
    try:
        totals = {
            bound + 0.0: total  # no -0.0, like the other kind's
            for bound, total in cumulative_buckets(
                point.scale,
                point.zero_threshold,
                point.zero_count,
                _indexed(point.positive),
                _indexed(point.negative),
            )
            if math.isfinite(bound)
        }
    except TooManyBuckets:
        raise _too_many_buckets() from None
    if not _ascending([*totals]):
        raise Unmappable(Reason.SYNTAX, "zeroThreshold is within a bucket")
    yield from _distribution(point, totals.items())


def _indexed(buckets: Any) -> Sequence[tuple[int, float]]:
    """Return (index, count) of each bucket; not of more than are converted."""
    counts = buckets.bucket_counts[: MAX_BUCKETS + 1]
    return [*enumerate(map(float, counts), buckets.offset)]


def _distribution(point: Any, buckets: Iterable[tuple[float, float]]) -> Iterator[Sample]:
    """Yield a histogram's samples, given its buckets below infinity: upper bounds, and totals.

    The sum is left out if the data point has none, as with negative observations, and so are the
    minimum and the maximum.
    """
    stale = _is_stale(point)
    count = STALE if stale else float(point.count)
    for bound, total in buckets:
        yield Sample("_bucket", total, "le", bound)
    yield Sample("_bucket", count, "le", math.inf)
    yield Sample("_count", count)
    for field in ("sum", "min", "max"):
        if point.HasField(field):
            yield Sample(f"_{field}", STALE if stale else getattr(point, field))


def _summary(point: Any) -> Iterator[Sample]:
    """Summary (data model, "Summary"; compatibility, "Summaries"). Raises Unmappable."""
    stale = _is_stale(point)
    quantiles = {each.quantile + 0.0: each.value for each in point.quantile_values}
    if len(quantiles) < len(point.quantile_values):
        raise Unmappable(Reason.SYNTAX, "quantileValues has a quantile twice")
    if not all(0 <= quantile <= 1 for quantile in quantiles):
        raise Unmappable(Reason.SYNTAX, "a quantile must be from 0 to 1")
    for quantile, value in quantiles.items():
        yield Sample("", STALE if stale else value, "quantile", quantile)
    yield Sample("_count", STALE if stale else float(point.count))
    yield Sample("_sum", STALE if stale else point.sum)


_SAMPLES: dict[str, Callable[[Any], Iterator[Sample]]] = {
    "gauge": _number,
    "sum": _number,
    "histogram": _histogram,
    "exponential_histogram": _exponential_histogram,
    "summary": _summary,
}


def _ascending(numbers: Sequence[float]) -> bool:
    """Return whether each is above the one before, and none is a NaN."""
    return all(low < high for low, high in pairwise(numbers)) and not any(map(math.isnan, numbers))


def _too_many_buckets() -> Unmappable:
    return Unmappable(Reason.UNSUPPORTED, f"has more than {MAX_BUCKETS} buckets")
