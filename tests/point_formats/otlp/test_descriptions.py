"""Type, unit, help text and temporality of OTLP's metrics."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from adapters.point_formats.otlp.json import JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from domain.metric_description import MetricDescription, MetricType, Temporality
from tests.point_formats.otlp.requests import (
    ALLOWED,
    CarefulJsonReader,
    json_body,
    number,
    read_descriptions,
    request,
    requests,
)

PROTOBUF, JSON = ProtobufReader(ALLOWED), JsonReader(ALLOWED)


@pytest.mark.parametrize(
    ("kind", "fields", "type", "temporality"),
    [
        ("gauge", {}, "gauge", ""),
        ("sum", {"is_monotonic": True, "aggregation_temporality": 2}, "counter", "cumulative"),
        ("sum", {"is_monotonic": True, "aggregation_temporality": 1}, "counter", "delta"),
        ("sum", {"aggregation_temporality": 2}, "gauge", "cumulative"),
        ("sum", {"is_monotonic": True, "aggregation_temporality": 9}, "counter", ""),
        ("histogram", {"aggregation_temporality": 1}, "histogram", "delta"),
        ("exponential_histogram", {}, "exponential_histogram", ""),
        ("summary", {}, "summary", ""),
    ],
)
def test_a_metric_is_described(kind: str, fields: Any, type: str, temporality: str) -> None:  # noqa: A002
    metric = Metric(name="http.size bytes", unit="By", description="Sizes.\nAll of them.")
    getattr(metric, kind).SetInParent()
    for name, value in fields.items():
        setattr(getattr(metric, kind), name, value)
    expected = MetricDescription(
        "http.size_bytes",
        MetricType(type),
        "By",
        "Sizes. All of them.",
        Temporality(temporality),
    )
    sent = request(metric)
    for reader, body in (
        (PROTOBUF, sent.SerializeToString()),
        (JSON, json_body(sent)),
        (JSON, json_body(sent, names=True)),
    ):
        assert read_descriptions(reader, body) == {"http.size_bytes": expected}


def test_a_metric_whose_name_is_invalid_is_not_described() -> None:
    metric = Metric(name="n" * 256)
    metric.gauge.data_points.append(number())
    assert read_descriptions(PROTOBUF, request(metric).SerializeToString()) == {}


@given(request=requests())
def test_the_readers_find_the_same_descriptions(request: Any) -> None:
    expected = read_descriptions(PROTOBUF, request.SerializeToString())
    for reader in (JSON, CarefulJsonReader(ALLOWED)):
        assert read_descriptions(reader, json_body(request)) == expected
