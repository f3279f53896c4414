"""The reader of protobuf bodies.

It parses a metric at a time. The attributes of data points stay bytes, from which a memo has the
tags: they are the same in each body of a client. Gauges and sums, which most data points are, are
read by column; what is unusual among them, and other kinds, by the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from google.protobuf.message import DecodeError

from adapters.point_formats.mapping import Unmappable, mapped_metric_name
from adapters.point_formats.otlp.attributes import Allowlist, point_tags, resource_tags
from adapters.point_formats.otlp.descriptions import Descriptions, described
from adapters.point_formats.otlp.messages import (
    KeyValue,
    MetricOutline,
    QuickMetric,
    RequestOutline,
    Resource,
    ResourceMetricsOutline,
    ScopeMetricsOutline,
)
from adapters.point_formats.otlp.rules import NANOSECONDS, MetricRules, number_value
from adapters.point_formats.otlp.wire import PIECE, check_fields, pieces
from adapters.point_formats.point_columns import PointColumns
from application.errors import MalformedBody
from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from domain.memo import Memo
from domain.metric_point import TagSet

_flags_of = attrgetter("flags")

_LEVELS = 3
"""A metric is in a scope's, those in a resource's: a body has at most so many parts per metric."""


class ProtobufReader:
    """Reads bodies, for one thread at a time. Keeps bounded memos of what recurs."""

    def __init__(self, allowed: Allowlist) -> None:
        self._allowed = allowed
        self._names: Memo[str, str] = Memo(mapped_metric_name, lambda text, _: 2 * len(text))
        self._resources: Memo[bytes, TagSet] = Memo(
            self._resource, lambda raw, tags: len(raw) + tags.size()
        )
        self._tags: Memo[tuple[TagSet | bytes, ...], TagSet] = Memo(
            _tags,
            lambda key, tags: sum(map(len, key[1:])) + tags.size(),  # type: ignore[arg-type]
        )
        self._descriptions = Descriptions()
        self._rules = MetricRules(lambda resource, sent: self._tags[(resource, *sent)])

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        columns = PointColumns(terms)
        try:
            self._read(body, columns, terms.max_points)
        except DecodeError as error:
            raise MalformedBody(f"the body is not an OTLP request: {error}") from None
        return columns.decoded()

    def _read(self, body: bytes, columns: PointColumns, max_points: int) -> None:
        parts = 0

        def outlined(message: Any, raw: bytes, field: str) -> tuple[Any, Sequence[bytes]]:
            nonlocal parts
            check_fields(raw, max_points)
            outline = message.FromString(raw)
            found: Sequence[bytes] = getattr(outline, field)
            parts += len(found)
            check_count(parts, _LEVELS * max_points)
            return outline, found

        _, of_resources = outlined(RequestOutline, body, "resource_metrics")
        for r, of_resource in enumerate(of_resources):
            outline, of_scopes = outlined(ResourceMetricsOutline, of_resource, "scope_metrics")
            try:
                resource: TagSet | Unmappable = self._resources[b"".join(outline.resource)]
            except Unmappable as refusal:
                resource = refusal
            for s, of_scope in enumerate(of_scopes):
                _, metrics = outlined(ScopeMetricsOutline, of_scope, "metrics")
                for m, raw in enumerate(metrics):
                    place = f"/resourceMetrics/{r}/scopeMetrics/{s}/metrics/{m}"
                    if isinstance(resource, Unmappable):
                        _refuse(columns, place, raw, resource, max_points)
                    else:
                        self._add(columns, place, raw, resource, max_points)

    def _add(
        self, columns: PointColumns, place: str, raw: bytes, resource: TagSet, limit: int
    ) -> None:
        for first, piece in pieces(raw, limit + 1000):
            if piece is None:
                detail = f"data point {first} has more than {PIECE} bytes"
                columns.refused.add(place, Reason.UNSUPPORTED, detail)
                continue
            metric = QuickMetric.FromString(piece)
            kind = metric.WhichOneof("data")
            if kind is None:
                continue
            self._descriptions.add(columns.descriptions, described(metric, kind))
            points = [*getattr(metric, kind).data_points]
            columns.check_room(len(points))
            if kind in ("gauge", "sum") and self._add_numbers(columns, metric, points, resource):
                continue
            self._rules.add(columns, place, metric, resource, first=first)

    def _add_numbers(
        self, columns: PointColumns, metric: Any, points: list[Any], resource: TagSet
    ) -> bool:
        """Add the data points of a gauge or a sum, or none of them if one is unusual."""
        times = [point.time_unix_nano // NANOSECONDS for point in points]
        if 0 in times:  # perhaps none was sent
            return False
        tags = self._tags
        try:
            name = self._names[metric.name]
            # One of the two is zero. Only if both are, it matters which was sent.
            values = [p.as_double or p.as_int or number_value(p) for p in points]
            tag_sets = [tags[(resource, *point.attributes)] for point in points]
        except Unmappable:
            return False
        if any(map(_flags_of, points)):
            return False
        return columns.extend(name, times, values, tag_sets)

    def _resource(self, raw: bytes) -> TagSet:
        if len(raw) > PIECE:
            raise Unmappable(Reason.UNSUPPORTED, f"it has more than {PIECE} bytes")
        return resource_tags(self._allowed, Resource.FromString(raw).attributes)


def _tags(key: tuple[Any, ...]) -> TagSet:
    resource, *attributes = key
    return point_tags(resource, map(KeyValue.FromString, attributes))


def _refuse(columns: PointColumns, place: str, raw: bytes, refusal: Unmappable, limit: int) -> None:
    """Refuse the data points of a metric whose resource is invalid."""
    count = 0
    for _, piece in pieces(raw, limit):
        metric = MetricOutline.FromString(piece or b"")
        kind = metric.WhichOneof("data")
        count += len(getattr(metric, kind).data_points) if kind else piece is None
    columns.check_room(count)
    if count:
        columns.refused.add(place, refusal.reason, f"in its resource, {refusal}", count)
