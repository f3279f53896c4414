"""The reader of JSON bodies.

Gauges and sums are decoded as types and read by column, with a memo from the JSON of attributes to
the tags. A metric that does not fit the types, or that is of another kind, becomes a protobuf
message and is read by the rules.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Raw, Struct
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality

from adapters.json_text.broken_text import readable, without_surrogates
from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from adapters.point_formats.otlp.attributes import Allowlist, point_tags, resource_tags
from adapters.point_formats.otlp.descriptions import Described, Descriptions, described
from adapters.point_formats.otlp.json_messages import (
    InvalidField,
    double,
    integer,
    metric_message,
    point_attributes,
    resource_attributes,
)
from adapters.point_formats.otlp.rules import NANOSECONDS, MetricRules
from adapters.point_formats.point_columns import PointColumns
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_point import TagSet

OBJECTS_PER_POINT = 20
"""Objects and arrays of a large body per point of its limit; more are refused.

They take up to a hundred times their bytes in memory. A point with nine attributes has 20.
"""

FEW_OBJECTS = 100_000
"""Objects and arrays that any body may have."""

_NONE = Raw(b"")
_NO_OTHER = (_NONE, _NONE, _NONE)


class _Number(Struct, gc=False, rename="camel"):
    time_unix_nano: int | str | None = None
    as_double: float | str | None = None
    as_int: int | str | None = None
    flags: int | str | None = None
    attributes: Raw = _NONE


class _Numbers(Struct, gc=False, rename="camel"):
    aggregation_temporality: int | str | None = None
    is_monotonic: bool | None = None
    data_points: list[_Number] | None = None


class _Metric(Struct, gc=False, rename="camel"):
    name: str | None = None
    unit: str | None = None
    description: str | None = None
    gauge: _Numbers | None = None
    sum: _Numbers | None = None
    histogram: Raw = _NONE
    exponential_histogram: Raw = _NONE
    summary: Raw = _NONE


class _ScopeMetrics(Struct, gc=False):
    metrics: list[Raw] | None = None


class _ResourceMetrics(Struct, gc=False, rename="camel"):
    resource: Raw = _NONE
    scope_metrics: list[_ScopeMetrics] | None = None


class _Request(Struct, gc=False, rename="camel"):
    resource_metrics: list[_ResourceMetrics] | None = None


_decode_request = msgspec.json.Decoder(_Request).decode
_decode_metric = msgspec.json.Decoder(_Metric).decode

_TEMPORALITIES: dict[int | str | None, int] = {
    None: 0,
    **{number: number for number in AggregationTemporality.values()},
    **dict(AggregationTemporality.items()),
}
"""The temporalities that are read by the short way."""

_flags_of = attrgetter("flags")


class JsonReader:
    """Reads bodies, for one thread at a time. Keeps bounded memos of what recurs."""

    def __init__(self, allowed: Allowlist) -> None:
        self._allowed = allowed
        self._names: Memo[str, str] = Memo(mapped_metric_name, lambda text, _: 2 * len(text))
        self._times: Memo[int | str | None, int] = Memo(_milliseconds, lambda *_: 0)
        self._resources: Memo[bytes, TagSet] = Memo(
            self._resource, lambda raw, tags: len(raw) + tags.size()
        )
        self._tags: Memo[tuple[TagSet, bytes], TagSet] = Memo(
            _tags, lambda key, tags: len(key[1]) + tags.size()
        )
        self._descriptions = Descriptions()
        self._rules = MetricRules(point_tags)

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        _check_objects(body, terms.max_points)
        request = _request_of(body)
        columns = PointColumns(terms)
        for r, of_resource in enumerate(request.resource_metrics or ()):
            try:
                resource: TagSet | Unmappable = self._resources[bytes(of_resource.resource)]
            except Unmappable as refusal:
                resource = refusal
            for s, of_scope in enumerate(of_resource.scope_metrics or ()):
                for m, raw in enumerate(of_scope.metrics or ()):
                    place = f"/resourceMetrics/{r}/scopeMetrics/{s}/metrics/{m}"
                    if isinstance(resource, Unmappable):
                        _refuse(columns, place, bytes(raw), resource)
                    else:
                        self._add(columns, place, bytes(raw), resource)
        return columns.decoded()

    def _add(self, columns: PointColumns, place: str, raw: bytes, resource: TagSet) -> None:
        try:
            metric = _decode_metric(raw)
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            if self._add_numbers(columns, metric, resource):
                return
        try:
            message, invalid = metric_message(raw)
        except InvalidField as error:
            columns.refused.add(place, Reason.SYNTAX, f"the metric {error}")
            return
        columns.check_room(_points_of(message))
        if kind := message.WhichOneof("data"):
            self._descriptions.add(columns.descriptions, described(message, kind))
        self._rules.add(columns, place, message, resource, invalid=invalid)

    def _add_numbers(self, columns: PointColumns, metric: _Metric, resource: TagSet) -> bool:
        """Add the data points of a gauge or a sum, or none of them if one is unusual."""
        numbers = metric.sum if metric.gauge is None else metric.gauge
        if numbers is None or (metric.gauge is not None and metric.sum is not None):
            return False
        if (metric.histogram, metric.exponential_histogram, metric.summary) != _NO_OTHER:
            return False
        temporality = _TEMPORALITIES.get(numbers.aggregation_temporality)
        if temporality is None:
            return False
        points = numbers.data_points or []
        columns.check_room(len(points))
        tags = self._tags
        try:
            name = self._names[metric.name or ""]
            times = [*map(self._times.__getitem__, [point.time_unix_nano for point in points])]
            values = [
                number
                if point.as_int is None and type(number := point.as_double) is float
                else _value(point)
                for point in points
            ]
            tag_sets = [tags[resource, bytes(point.attributes)] for point in points]
        except (Unmappable, InvalidField):
            return False
        if any(map(_flags_of, points)):
            return False
        if not columns.extend(name, times, values, tag_sets):
            return False
        sent = Described(
            metric.name or "",
            "gauge" if metric.sum is None else "sum",
            metric.unit or "",
            metric.description or "",
            0 if metric.sum is None else temporality,
            bool(metric.sum and metric.sum.is_monotonic),
        )
        self._descriptions.add(columns.descriptions, sent)
        return True

    def _resource(self, raw: bytes) -> TagSet:
        """Raises Unmappable."""
        try:
            return resource_tags(self._allowed, resource_attributes(raw or b"{}"))
        except InvalidField as error:
            raise Unmappable(Reason.SYNTAX, f"the resource {error}") from None


def _request_of(body: bytes) -> _Request:
    """Decode a body, with U+FFFD in place of text that is not Unicode. Raises MalformedBody."""
    try:
        try:
            body.decode()  # since parts that are not decoded may not be UTF-8
            return _decode_request(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            broken = readable(body)
            if broken is None:
                raise
        text = without_surrogates(broken.restored(broken.json.decode()))
        return _decode_request(text.encode())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedBody(f"the body is not an OTLP request: {error}") from None


def _check_objects(body: bytes, max_points: int) -> None:
    """Raise BodyTooLarge for a body that would take far more memory than its points need."""
    limit = max(FEW_OBJECTS, OBJECTS_PER_POINT * max_points)
    if body.count(b"{") + body.count(b"[") > limit:
        raise BodyTooLarge(f"the body has more than {limit} objects and arrays")


def _milliseconds(nanoseconds: int | str | None) -> int:
    """Raises InvalidField; also for no time."""
    return integer(nanoseconds, 1, (1 << 64) - 1) // NANOSECONDS


def _value(point: _Number) -> float:
    """Raises InvalidField unless the point has exactly one value."""
    if point.as_int is None:
        return double(point.as_double)
    if point.as_double is not None:
        raise InvalidField("has two values")
    return integer(point.as_int, -(1 << 63), (1 << 63) - 1)


def _tags(key: tuple[TagSet, bytes]) -> TagSet:
    """Raises Unmappable, InvalidField."""
    resource, raw = key
    return point_tags(resource, point_attributes(raw) if raw else ())


def _points_of(metric: Any) -> int:
    """Return the number of data points of a Metric message."""
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0


def _refuse(columns: PointColumns, place: str, raw: bytes, refusal: Unmappable) -> None:
    """Refuse the data points of a metric whose resource is invalid."""
    try:
        count = _points_of(metric_message(raw)[0])
    except InvalidField:
        count = 1
    columns.check_room(count)
    if count:
        columns.refused.add(place, refusal.reason, f"in its resource, {refusal}", count)
