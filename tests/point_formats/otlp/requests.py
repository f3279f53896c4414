"""Requests of all kinds, as messages, as JSON, and as a slow reader reads them."""

from __future__ import annotations

import json
import math
import struct
from base64 import b64encode
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from adapters.point_formats.mapping import Unmappable
from adapters.point_formats.otlp import messages
from adapters.point_formats.otlp.attributes import (
    RESOURCE_ATTRIBUTES,
    Allowlist,
    point_tags,
    resource_tags,
)
from adapters.point_formats.otlp.json import JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from adapters.point_formats.otlp.rules import MetricRules
from adapters.point_formats.point_columns import PointColumns
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import RefusedPoint
from domain.metric_description import MetricDescription

LATEST = 2_000_000_000_000
SECOND = 1_700_000_000
TERMS = BodyTerms(LATEST, LATEST, 10_000)
ALLOWED = Allowlist(RESOURCE_ATTRIBUTES)

Row = tuple[str, int, bytes, tuple[tuple[str, str], ...]]
Outcome = tuple[list[Row], list[RefusedPoint]] | None
Descriptions = dict[str, MetricDescription]


def outcome(decoded: Decoded) -> tuple[list[Row], list[RefusedPoint]]:
    """Return the points, values bit for bit, and the refused ones."""
    points = decoded.points
    # By bytes, since making a float of a signalling NaN might change it.
    values = memoryview(points.values).cast("B").tobytes()  # type: ignore[arg-type]
    rows = [
        (name, time, values[8 * at : 8 * at + 8], tags.pairs)
        for at, (name, time, tags) in enumerate(
            zip(points.names, points.timestamps, points.tag_sets, strict=True)
        )
    ]
    return rows, decoded.refused.first if decoded.refused else []


def read(reader: ProtobufReader | JsonReader, body: bytes) -> Outcome:
    """Return what a reader makes of a body, None if it is malformed."""
    try:
        return outcome(reader.read(body, TERMS))
    except MalformedBody:
        return None


def read_slowly(body: bytes) -> Outcome:
    """Return what the rules make of a protobuf body that is parsed as a whole."""
    try:
        request = messages.Request.FromString(body)
    except DecodeError:
        return None
    columns = PointColumns(TERMS)
    rules = MetricRules(point_tags)
    for r, of_resource in enumerate(request.resource_metrics):
        refusal = None
        try:
            resource = resource_tags(ALLOWED, of_resource.resource.attributes)
        except Unmappable as error:
            refusal = error
        for s, of_scope in enumerate(of_resource.scope_metrics):
            for m, metric in enumerate(of_scope.metrics):
                place = f"/resourceMetrics/{r}/scopeMetrics/{s}/metrics/{m}"
                if refusal is None:
                    rules.add(columns, place, metric, resource)
                elif points := points_of(metric):
                    detail = f"in its resource, {refusal}"
                    columns.refused.add(place, refusal.reason, detail, points)
    return outcome(columns.decoded())


def points_of(metric: Any) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0


class CarefulJsonReader(JsonReader):
    """A reader without its short way."""

    def _add_numbers(self, *_: Any) -> bool:
        return False


def number(**fields: Any) -> NumberDataPoint:
    """Return a data point with a time and, unless there is another, the value 1.5."""
    if "as_int" not in fields:
        fields.setdefault("as_double", 1.5)
    return NumberDataPoint(**{"time_unix_nano": SECOND * 10**9, **fields})


def attribute(key: str, value: Any) -> KeyValue:
    return KeyValue(key=key, value=any_value(value))


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            made = AnyValue()
            made.array_value.values.extend(map(any_value, value))
            made.array_value.SetInParent()
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend(attribute(k, v) for k, v in value.items())
            made.kvlist_value.SetInParent()
            return made
    return AnyValue()


def request(*metrics: Metric, **resource: Any) -> ExportMetricsServiceRequest:
    """Return a request with one scope; dots of the resource's attributes are double underscores."""
    made = ExportMetricsServiceRequest()
    of_resource = made.resource_metrics.add()
    of_resource.resource.attributes.extend(
        attribute(name.replace("__", "."), value) for name, value in resource.items()
    )
    of_scope = of_resource.scope_metrics.add()
    of_scope.scope.name = "scope"
    of_scope.metrics.extend(metrics)
    return made


def json_body(message: Any, *, names: bool = False, numbers: bool = False) -> bytes:
    """Return a message as JSON, 64-bit integers as strings or as `numbers`, enums as `names`."""
    return json.dumps(_json(message, names=names, numbers=numbers)).encode()


def _json(message: Any, **style: bool) -> dict[str, Any]:
    return {
        field.camelcase_name: (
            [_json_value(field, each, **style) for each in value]
            if field.is_repeated
            else _json_value(field, value, **style)
        )
        for field, value in message.ListFields()
    }


def _json_value(field: Any, value: Any, *, names: bool, numbers: bool) -> Any:
    if field.message_type is not None:
        return _json(value, names=names, numbers=numbers)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64):
        return value if numbers else str(value)
    if field.enum_type is not None and names and value in field.enum_type.values_by_number:
        return field.enum_type.values_by_number[value].name
    if field.type == FieldDescriptor.TYPE_BYTES:
        return value.hex() if field.name.endswith("_id") else b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


texts = st.text(max_size=6) | st.sampled_from(["a", "a", "v" * 1024, "v" * 1025, "x\n", "é"])
keys = st.sampled_from(
    ["host", "http.method", "a b", "a_b", "0", "le", "quantile", "k" * 256, "", "service.name"]
)
floats = st.floats() | st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf, 5e-324])
integers = st.integers(-(1 << 63), (1 << 63) - 1) | st.sampled_from([0, 1, (1 << 53) + 1])
any_values = st.recursive(
    st.none() | st.booleans() | integers | floats | texts | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=4,
)
attribute_lists = st.lists(
    st.builds(attribute, keys, texts | any_values), max_size=4
) | st.integers(38, 42).map(lambda count: [attribute(f"t{n}", "x") for n in range(count)])
times = st.sampled_from(
    [SECOND * 10**9] * 6 + [SECOND * 10**9 + 999_999, 0, 1, LATEST * 10**6 + 10**6, (1 << 64) - 1]
)
flags = st.sampled_from([0] * 8 + [1, 2, 3])
common: dict[str, Any] = {
    "attributes": attribute_lists,
    "time_unix_nano": times,
    "start_time_unix_nano": times,
    "flags": flags,
}
counts = st.integers(0, (1 << 64) - 1) | st.integers(0, 5)
maybe: dict[str, Any] = {"sum": floats, "min": floats, "max": floats}
number_points = st.one_of(
    st.builds(NumberDataPoint, **common, as_double=floats),
    st.builds(NumberDataPoint, **common, as_int=integers),
    st.builds(NumberDataPoint, **common),
)


@st.composite
def histogram_points(draw: st.DrawFn) -> HistogramDataPoint:
    bounds = draw(st.lists(floats, max_size=3) | st.sampled_from([[0.5, 1.0, 10.0], [-0.0, 1e-5]]))
    near = len(bounds) + 1
    size = draw(st.sampled_from([near] * 4 + [near + 1, near - 1, 0]))
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries({**common, "count": counts}, optional=maybe)
    )
    fields["bucket_counts"] = draw(st.lists(counts, min_size=size, max_size=size))
    return HistogramDataPoint(explicit_bounds=bounds, **fields)


@st.composite
def exponential_points(draw: st.DrawFn) -> ExponentialHistogramDataPoint:
    fields: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {**common, "count": counts, "zero_count": counts},
            optional={
                **maybe,
                "scale": st.integers(-11, 20) | st.integers(-(1 << 31), (1 << 31) - 1),
                "zero_threshold": floats,
            },
        )
    )
    point = ExponentialHistogramDataPoint(**fields)
    for buckets in (point.positive, point.negative):
        buckets.offset = draw(st.integers(-5, 5) | st.integers(-(1 << 31), (1 << 31) - 1))
        buckets.bucket_counts.extend(draw(st.lists(counts, max_size=4)))
    return point


quantiles = st.builds(
    SummaryDataPoint.ValueAtQuantile,
    quantile=st.sampled_from([0.0, 0.5, 0.99, 1.0, 1.5]) | floats,
    value=floats,
)
summary_points = st.builds(
    SummaryDataPoint,
    **common,
    count=counts,
    sum=floats,
    quantile_values=st.lists(quantiles, max_size=3),
)


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    names = st.sampled_from(["http.requests", "a b", "9", "", "n" * 250, "n" * 256, "é"])
    metric = Metric(name=draw(names), unit=draw(texts), description=draw(texts))
    kind, points = draw(
        st.sampled_from(
            [
                ("gauge", number_points),
                ("sum", number_points),
                ("histogram", histogram_points()),
                ("exponential_histogram", exponential_points()),
                ("summary", summary_points),
            ]
        )
    )
    data = getattr(metric, kind)
    data.SetInParent()
    data.data_points.extend(draw(st.lists(points, max_size=3)))
    if kind in ("sum", "histogram", "exponential_histogram"):
        data.aggregation_temporality = draw(st.integers(0, 3))
    if kind == "sum":
        data.is_monotonic = draw(st.booleans())
    return metric


@st.composite
def requests(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    made = ExportMetricsServiceRequest()
    for _ in range(draw(st.integers(0, 2))):
        of_resource = made.resource_metrics.add()
        of_resource.resource.attributes.extend(draw(attribute_lists))
        for _ in range(draw(st.integers(0, 2))):
            of_resource.scope_metrics.add().metrics.extend(draw(st.lists(metrics(), max_size=3)))
    return made


def read_descriptions(reader: ProtobufReader | JsonReader, body: bytes) -> Descriptions:
    """Return the descriptions of a body that is not malformed."""
    return {each.name: each for each in reader.read(body, TERMS).descriptions}
