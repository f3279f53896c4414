"""Which points each kind of metric becomes, and which data points are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    Sum,
    Summary,
    SummaryDataPoint,
)

from adapters.point_formats.buckets import MAX_BUCKETS
from adapters.point_formats.otlp.attributes import Allowlist
from adapters.point_formats.otlp.json import JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from application.publishing.refusals import Reason, RefusedPoint
from tests.point_formats.otlp.requests import (
    ALLOWED,
    LATEST,
    SECOND,
    Row,
    attribute,
    bits,
    json_body,
    number,
    read,
    request,
)

NOW = SECOND * 10**9
STALE = (0x7FF0_0000_0000_0002).to_bytes(8, "little")
PROTOBUF, JSON = ProtobufReader(ALLOWED), JsonReader(ALLOWED)


def outcome(metric: Metric, **resource: Any) -> tuple[list[Row], list[RefusedPoint]]:
    """Read a metric, after checking that JSON says the same."""
    sent = request(metric, **resource)
    found = read(PROTOBUF, sent.SerializeToString())
    assert found is not None
    assert read(JSON, json_body(sent)) == found
    return found


def stored(metric: Metric, **resource: Any) -> list[tuple[str, dict[str, str], bytes]]:
    """Return the points of a metric that has no bad ones, all of them at the usual time."""
    rows, refused = outcome(metric, **resource)
    assert refused == []
    assert {time for _, time, _, _ in rows} <= {SECOND * 1000}
    return [(name, dict(tags), value) for name, _, value, tags in rows]


def refusal(metric: Metric, **resource: Any) -> RefusedPoint:
    """Return the refusal of a metric's only data point."""
    rows, [refused] = outcome(metric, **resource)
    assert rows == []
    assert refused.place.startswith("/resourceMetrics/0/scopeMetrics/0/metrics/0")
    return refused


def gauge(*points: Any, name: str = "temperature") -> Metric:
    return Metric(name=name, gauge=Gauge(data_points=points))


def histogram(**fields: Any) -> Metric:
    point = HistogramDataPoint(**{"time_unix_nano": NOW, **fields})
    return Metric(name="latency", histogram=Histogram(data_points=[point]))


def exponential(**fields: Any) -> Metric:
    point = ExponentialHistogramDataPoint(**{"time_unix_nano": NOW, **fields})
    return Metric(name="latency", exponential_histogram=ExponentialHistogram(data_points=[point]))


def summary(quantiles: dict[float, float], **fields: Any) -> Metric:
    point = SummaryDataPoint(time_unix_nano=NOW, **fields)
    for quantile, value in quantiles.items():
        point.quantile_values.add(quantile=quantile, value=value)
    return Metric(name="latency", summary=Summary(data_points=[point]))


@pytest.mark.parametrize("temporality", [0, 1, 2])
@pytest.mark.parametrize("monotonic", [True, False])
def test_gauges_and_sums_are_stored_as_sent(temporality: Any, monotonic: bool) -> None:
    points = [number(as_double=-0.0), number(as_int=-3), number(as_double=math.inf)]
    expected: Any = [("temperature", {}, bits(value)) for value in (-0.0, -3.0, math.inf)]
    assert stored(gauge(*points)) == expected
    a_sum = Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=monotonic)
    assert stored(Metric(name="temperature", sum=a_sum)) == expected


@pytest.mark.parametrize("sent", [(1 << 53) + 1, (1 << 63) - 1, -(1 << 63)])
def test_an_integer_that_a_float_cannot_hold_is_rounded(sent: int) -> None:
    [(_, _, value)] = stored(gauge(number(as_int=sent)))
    assert value == bits(float(sent))


def test_the_stale_marker_keeps_its_bits() -> None:
    [(_, _, value)] = stored(gauge(number(flags=1)))
    assert value == STALE
    body = request(gauge(number(as_double=0))).SerializeToString()
    zero, marker = b"\x21" + bytes(8), b"\x21" + STALE
    assert body.count(zero) == 1
    found = read(PROTOBUF, body.replace(zero, marker))
    assert found is not None
    assert found[0][0][2] == STALE


def test_a_point_without_a_recorded_value_ends_each_of_its_series() -> None:
    for metric, names in (
        (histogram(flags=1, explicit_bounds=[1, 2], sum=0), "bucket bucket bucket count sum"),
        (exponential(flags=1, sum=0), "bucket count sum"),
        (summary({0.5: 0}, flags=1), " count sum"),
    ):
        rows = stored(metric)
        assert [name.removeprefix("latency").lstrip("_") for name, _, _ in rows] == names.split(" ")
        assert {value for _, _, value in rows} == {STALE}


def test_times_are_rounded_down_to_milliseconds() -> None:
    rows, _ = outcome(gauge(*[number(time_unix_nano=NOW + more) for more in (0, 999_999, 10**6)]))
    assert [time - SECOND * 1000 for _, time, _, _ in rows] == [0, 0, 1]


def test_a_time_is_required_and_may_not_be_far_in_the_future() -> None:
    assert refusal(gauge(number(time_unix_nano=0))).detail == "timeUnixNano is missing"
    late = refusal(gauge(number(time_unix_nano=(LATEST + 1) * 10**6)))
    assert "too far in the future" in late.detail
    assert late.reason is Reason.TIME
    assert late.place.endswith("/gauge/dataPoints/0")


def test_a_value_is_required() -> None:
    point = number()
    point.ClearField("as_double")
    assert refusal(gauge(point)).reason is Reason.VALUE


def test_a_histogram_becomes_cumulative_buckets_count_sum_and_extremes() -> None:
    metric = histogram(
        explicit_bounds=[0.005, 10, 1e-5 + 10],
        bucket_counts=[1, 2, 0, 4],
        count=7,
        sum=12.5,
        min=0.001,
        max=99,
        attributes=[attribute("host", "a")],
    )
    host = {"host": "a"}
    assert stored(metric) == [
        ("latency_bucket", {**host, "le": "0.005"}, bits(1)),
        ("latency_bucket", {**host, "le": "10"}, bits(3)),
        ("latency_bucket", {**host, "le": "10.00001"}, bits(3)),
        ("latency_bucket", {**host, "le": "+Inf"}, bits(7)),
        ("latency_count", host, bits(7)),
        ("latency_sum", host, bits(12.5)),
        ("latency_min", host, bits(0.001)),
        ("latency_max", host, bits(99)),
    ]


def test_a_histogram_may_have_no_buckets_and_no_sum() -> None:
    assert stored(histogram(count=7)) == [
        ("latency_bucket", {"le": "+Inf"}, bits(7)),
        ("latency_count", {}, bits(7)),
    ]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"explicit_bounds": [1], "bucket_counts": [1]}, Reason.SYNTAX),
        ({"explicit_bounds": [1]}, Reason.SYNTAX),
        ({"explicit_bounds": [2, 1], "bucket_counts": [1, 1, 1]}, Reason.SYNTAX),
        ({"explicit_bounds": [1, 1], "bucket_counts": [1, 1, 1]}, Reason.SYNTAX),
        ({"explicit_bounds": [math.nan], "bucket_counts": [1, 1]}, Reason.SYNTAX),
        (
            {
                "explicit_bounds": range(MAX_BUCKETS + 1),
                "bucket_counts": [0] * (MAX_BUCKETS + 2),
            },
            Reason.UNSUPPORTED,
        ),
        ({"attributes": [attribute("le", "1")]}, Reason.TAG),
        ({"attributes": [attribute(f"t{n}", "x") for n in range(40)]}, Reason.TOO_MANY_TAGS),
        ({"time_unix_nano": 0}, Reason.TIME),
    ],
)
def test_a_bad_histogram_is_refused_as_one_point(fields: Any, reason: Reason) -> None:
    refused = refusal(histogram(**fields))
    assert (refused.reason, refused.points) == (reason, 1)


def test_an_exponential_histogram_becomes_buckets_with_bounds() -> None:
    point = {
        "scale": 0,
        "count": 10,
        "zero_count": 2,
        "zero_threshold": 0.25,
        "positive": {"offset": -1, "bucket_counts": [1, 0, 3]},
        "negative": {"offset": 1, "bucket_counts": [4]},
        "max": 3.5,
    }
    assert stored(exponential(**point)) == [
        ("latency_bucket", {"le": "-2"}, bits(4)),
        ("latency_bucket", {"le": "0.25"}, bits(6)),
        ("latency_bucket", {"le": "1"}, bits(7)),
        ("latency_bucket", {"le": "2"}, bits(7)),
        ("latency_bucket", {"le": "4"}, bits(10)),
        ("latency_bucket", {"le": "+Inf"}, bits(10)),
        ("latency_count", {}, bits(10)),
        ("latency_max", {}, bits(3.5)),
    ]


@pytest.mark.parametrize("scale", [-(1 << 31), (1 << 31) - 1, -30, 1000])
@pytest.mark.parametrize("offset", [-(1 << 31), (1 << 31) - 10, 0])
def test_bounds_that_a_float_cannot_tell_apart_are_one(scale: int, offset: int) -> None:
    buckets = {"offset": offset, "bucket_counts": [1, 2]}
    rows = stored(exponential(scale=scale, count=6, positive=buckets, negative=buckets))
    bounds = [tags["le"] for name, tags, _ in rows if name == "latency_bucket"]
    assert len(set(bounds)) == len(bounds)
    assert bounds[-1] == "+Inf"


def test_too_many_exponential_buckets_are_refused() -> None:
    refused = refusal(exponential(positive={"bucket_counts": [0] * (MAX_BUCKETS + 1)}))
    assert refused.reason is Reason.UNSUPPORTED


def test_a_summary_becomes_quantiles_count_and_sum() -> None:
    assert stored(summary({0.0: 1, 0.5: 2, 0.99: math.nan}, count=3, sum=4)) == [
        ("latency", {"quantile": "0"}, bits(1)),
        ("latency", {"quantile": "0.5"}, bits(2)),
        ("latency", {"quantile": "0.99"}, bits(math.nan)),
        ("latency_count", {}, bits(3)),
        ("latency_sum", {}, bits(4)),
    ]


@pytest.mark.parametrize("quantile", [-0.5, 1.5, math.nan])
def test_a_quantile_is_from_0_to_1(quantile: float) -> None:
    assert refusal(summary({quantile: 1})).reason is Reason.SYNTAX


def test_a_quantile_may_be_there_once() -> None:
    metric = summary({0.5: 1})
    metric.summary.data_points[0].quantile_values.add(quantile=0.5, value=2)
    assert refusal(metric).reason is Reason.SYNTAX


def test_names_are_mapped_with_their_suffix() -> None:
    assert stored(gauge(number(), name="9 lives"))[0][0] == "_9_lives"
    metric = histogram(count=1)
    metric.name = "n" * 250
    assert refusal(metric).reason is Reason.NAME
    assert refusal(gauge(number(), name="")).reason is Reason.NAME


def test_a_metric_without_data_has_no_points() -> None:
    assert outcome(Metric(name="a")) == ([], [])
    assert outcome(Metric(name="a", gauge=Gauge())) == ([], [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (True, "true"),
        (False, "false"),
        (-42, "-42"),
        (1.0, "1"),
        (0.1, "0.1"),
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (b"\0\xff", "AP8="),
        ([], "[]"),
        (
            ["a", 1, 0.5, True, None, b"\xff", math.nan, [2]],
            '["a",1,0.5,true,null,"/w==","NaN",[2]]',
        ),
        ({"a": {"b": [1]}, "c": "d"}, '{"a":{"b":[1]},"c":"d"}'),
        ("a\nb", "a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_attributes_of_every_type_are_text(value: Any, text: str) -> None:
    [(_, tags, _)] = stored(gauge(number(attributes=[attribute("a b", value)])))
    assert tags == {"a_b": text}


@pytest.mark.parametrize("value", ["", None])
def test_empty_attributes_are_left_out(value: Any) -> None:
    [(_, tags, _)] = stored(gauge(number(attributes=[attribute("a", value)])))
    assert tags == {}


def test_attributes_that_cannot_be_tags_are_refused() -> None:
    for attributes, reason in (
        ([attribute("a", "x" * 1025)], Reason.TAG),
        ([attribute("k" * 256, "x")], Reason.TAG),
        ([attribute("a b", "x"), attribute("a_b", "x")], Reason.TAG),
        ([attribute("a", "x")] * 2, Reason.TAG),
        ([attribute(f"t{n}", "x") for n in range(41)], Reason.TOO_MANY_TAGS),
    ):
        assert refusal(gauge(number(attributes=attributes))).reason is reason


def test_allowed_attributes_of_the_resource_are_tags() -> None:
    [(_, tags, _)] = stored(
        gauge(number()),
        service__name="checkout",
        service__instance__id="6f96",
        k8s__pod__name="checkout-1",
        k8s__pod__start_time=5,
        telemetry__sdk__name="opentelemetry",
    )
    assert tags == {
        "service.name": "checkout",
        "k8s.pod.name": "checkout-1",
        "k8s.pod.start_time": "5",
    }


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), ""),
        (("*",), "a a.b ab b"),
        (("a",), "a"),
        (("a*",), "a a.b ab"),
        (("a.*", "b"), "a.b b"),
    ],
)
def test_the_allowlist_has_names_and_beginnings(patterns: tuple[str, ...], names: str) -> None:
    resource = {"a": "1", "ab": "2", "a__b": "3", "b": "4"}
    reader = ProtobufReader(Allowlist(patterns))
    found = read(reader, request(gauge(number()), **resource).SerializeToString())
    assert found is not None
    assert [name for name, _ in found[0][0][3]] == names.split()


def test_a_points_attribute_counts_before_its_resources() -> None:
    point = number(attributes=[attribute("service.name", "own")])
    [(_, tags, _)] = stored(gauge(point), service__name="resource's")
    assert tags == {"service.name": "own"}


def test_attributes_of_point_and_resource_are_together_at_most_40() -> None:
    point = number(attributes=[attribute(f"t{n}", "x") for n in range(40)])
    assert refusal(gauge(point), service__name="a").reason is Reason.TOO_MANY_TAGS


def test_an_invalid_resource_refuses_its_points() -> None:
    rows, [refused] = outcome(gauge(number(), number()), service__name="x" * 1025)
    assert rows == []
    assert (refused.reason, refused.points) == (Reason.TAG, 2)
    assert refused.detail.startswith("in its resource, the value of tag 'service.name'")
