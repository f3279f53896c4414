"""Bodies that are malformed, too large, or odd: an error or a refusal, never anything else."""

from __future__ import annotations

import asyncio
import json
import threading
import tracemalloc
from typing import Any

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric

from adapters.point_formats.otlp import wire
from adapters.point_formats.otlp.json import FEW_OBJECTS, JsonReader
from adapters.point_formats.otlp.protobuf import ProtobufReader
from adapters.point_formats.reader_format import MAX_ON_LOOP, ReaderFormat
from application.errors import BodyTooLarge, MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason
from tests.point_formats.otlp.requests import (
    ALLOWED,
    LATEST,
    SECOND,
    TERMS,
    attribute,
    bits,
    json_body,
    number,
    read,
    request,
)

PROTOBUF, JSON = ProtobufReader(ALLOWED), JsonReader(ALLOWED)
FEW = BodyTerms(LATEST, LATEST, 10)
MEMORY = 100 << 20
STAMP = b"\x19" + (SECOND * 10**9).to_bytes(8, "little")


def gauge(*points: Any) -> Metric:
    return Metric(name="up", gauge=Gauge(data_points=points))


def field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field."""
    length, size = b"", len(content)
    while size > 0x7F:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def nested(content: bytes) -> bytes:
    """Return a request with the fields of a metric."""
    return field(1, field(2, field(2, content)))


@pytest.mark.parametrize(
    "body",
    [
        b"\xff",
        b"{}",
        request(gauge(number())).SerializeToString()[:-1],
        nested(field(1, b"\xff")),
        nested(field(1, b"a") + field(5, field(1, STAMP + field(7, field(1, b"\xff"))))),
        b"\x0b" * 200,
        b"\x0b",
        b"\x0c",
        b"\x0f",
        b"\x0a" + b"\xff" * 11,
        field(1, b"\xff"),
    ],
)
def test_malformed_protobuf(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        PROTOBUF.read(body, TERMS)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"null",
        b"{",
        b'{"resourceMetrics":5}',
        b'{"resourceMetrics":[5]}',
        b'{"resourceMetrics":[null]}',
        b'{"resourceMetrics":[{"scopeMetrics":{}}]}',
        b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":"x"}]}]}',
        b'{"a":' * 20_000,
        b"[" * 100_000,
        request(gauge(number())).SerializeToString(),
    ],
)
def test_malformed_json(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        JSON.read(body, TERMS)


def test_unknown_fields_and_groups_are_ignored() -> None:
    unknown = b"\xa0\x06\x05" + b"\xa3\x06" + field(3, b"in a group") + b"\xa4\x06"
    sent = request(gauge(number())).SerializeToString()
    expected = read(PROTOBUF, sent)
    assert expected is not None
    assert len(expected[0]) == 1
    assert read(PROTOBUF, unknown + sent + unknown) == expected
    odd = json.loads(json_body(request(gauge(number()))))
    odd["more"] = odd["resourceMetrics"][0]["more"] = {"a": [None]}
    odd["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["gauge"]["more"] = 1
    assert read(JSON, json.dumps(odd).encode()) == expected


def test_packed_and_unpacked_lists_are_the_same() -> None:

    counts = [number.to_bytes(8, "little") for number in (1, 2)]
    bound = bits(4.0)
    packed = field(6, b"".join(counts)) + field(7, bound)
    unpacked = b"".join(b"\x31" + count for count in counts) + b"\x39" + bound
    found = [
        read(PROTOBUF, nested(field(1, b"a") + field(9, field(1, STAMP + lists))))
        for lists in (packed, unpacked)
    ]
    assert found[0] == found[1]
    assert found[0] is not None
    assert len(found[0][0]) == 3


def test_a_part_that_is_sent_in_pieces_is_merged() -> None:
    resource = request(service__name="a").resource_metrics[0].resource
    host = request(host__name="b").resource_metrics[0].resource
    scope = field(2, field(2, gauge(number()).SerializeToString()))
    pieces = [field(1, each.SerializeToString()) for each in (resource, host)]
    found = read(PROTOBUF, field(1, pieces[0] + scope + pieces[1]))
    assert found is not None
    assert found[0][0][3] == (("host.name", "b"), ("service.name", "a"))


@pytest.mark.parametrize("points", [11, 1000])
def test_more_data_points_than_allowed_are_too_many(points: int) -> None:
    for sent in (gauge(*[number()] * points), gauge(*[number(time_unix_nano=0)] * points)):
        made = request(sent)
        with pytest.raises(BodyTooLarge):
            PROTOBUF.read(made.SerializeToString(), FEW)
        with pytest.raises(BodyTooLarge):
            JSON.read(json_body(made), FEW)
    made = request(*[gauge(number())] * points)
    with pytest.raises(BodyTooLarge):
        PROTOBUF.read(made.SerializeToString(), FEW)
    with pytest.raises(BodyTooLarge):
        JSON.read(json_body(made), FEW)


def test_the_buckets_of_a_histogram_count_as_points() -> None:
    metric = Metric(name="a")
    metric.histogram.data_points.add(
        time_unix_nano=SECOND * 10**9, bucket_counts=[1] * 10, explicit_bounds=range(9)
    )
    for reader, body in (
        (PROTOBUF, request(metric).SerializeToString()),
        (JSON, json_body(request(metric))),
    ):
        with pytest.raises(BodyTooLarge):
            reader.read(body, FEW)


@pytest.mark.parametrize(
    ("body", "reader"),
    [
        (field(1, b"") * 4_000_000, PROTOBUF),
        (field(1, field(2, b"") * 4_000_000), PROTOBUF),
        (field(1, field(2, field(2, b"") * 4_000_000)), PROTOBUF),
        (nested(field(5, field(1, b"") * 4_000_000)), PROTOBUF),
        (nested(field(9, field(1, b"") * 4_000_000)), PROTOBUF),
        (b'{"resourceMetrics":[' + b"{}," * 3_000_000 + b"{}]}", JSON),
        (b'{"a":[' + b"[]," * 3_000_000 + b"[]]}", JSON),
    ],
    ids=["resources", "scopes", "metrics", "points", "histograms", "objects", "arrays"],
)
def test_millions_of_empty_messages_are_too_large(body: bytes, reader: Any) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            reader.read(body, TERMS)
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def test_a_million_attributes_refuse_their_data_point_only() -> None:
    point = number()
    point.attributes.extend([attribute("a", "b")] * 200_000)
    sent = request(gauge(number(), point, number()))
    assert len(sent.SerializeToString()) > wire.PIECE
    found = read(PROTOBUF, sent.SerializeToString())
    assert found is not None
    rows, [refused] = found
    assert len(rows) == 2
    assert refused.reason is Reason.UNSUPPORTED
    many = number(attributes=[attribute(f"t{n}", "") for n in range(10_000)])
    many.attributes.extend([attribute(f"u{n}", "x") for n in range(41)])
    found = read(PROTOBUF, request(gauge(many, number())).SerializeToString())
    assert found is not None
    assert [each.reason for each in found[1]] == [Reason.TOO_MANY_TAGS]


def test_a_resource_may_not_be_larger_than_a_piece() -> None:
    sent = request(gauge(number()), host__id="x" * wire.PIECE)
    found = read(PROTOBUF, sent.SerializeToString())
    assert found is not None
    assert [(each.reason, each.points) for each in found[1]] == [(Reason.UNSUPPORTED, 1)]


@pytest.mark.parametrize("depth", [40, 200, 5000, FEW_OBJECTS // 2])
def test_deep_nesting_is_an_error_or_a_refusal(depth: int) -> None:
    value = b'{"arrayValue":{"values":[' * depth + b"{}" + b"]}}" * depth
    point = b'{"timeUnixNano":"1","asInt":1,"attributes":[{"key":"a","value":%b}]}' % value
    body = b'{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":'
    body += b'{"dataPoints":[%b,{"timeUnixNano":"1","asInt":1}]}}]}]}]}' % point
    found = read(JSON, body)
    if found is not None:
        assert len(found[0]) + len(found[1]) in (1, 2)
    if depth == 40:
        assert found is not None
        assert len(found[0]) == 2
    content = b""
    for _ in range(min(depth, 200)):
        content = field(5, field(1, content))
    deep = field(7, field(1, b"a") + field(2, content))

    if depth <= 40:
        assert read(PROTOBUF, nested(field(1, b"a") + field(5, field(1, STAMP + deep))))
    else:
        assert read(PROTOBUF, nested(field(1, b"a") + field(5, field(1, STAMP + deep)))) is None


def metric_json(*points: Any, **more: Any) -> bytes:
    metric = {"name": "a", "gauge": {"dataPoints": points}, **more}
    return json.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}).encode()


GOOD = {"timeUnixNano": "1700000000000000000", "asDouble": 1.5}


@pytest.mark.parametrize(
    "change",
    [
        {"timeUnixNano": 1_700_000_000_000_000_000},
        {"timeUnixNano": 1.7e18},
        {"asDouble": "1.5"},
        {"asDouble": "15e-1"},
        {"flags": "0"},
        {"asInt": None},
        {"attributes": None},
        {"startTimeUnixNano": [], "exemplars": 5},
    ],
)
def test_json_has_several_spellings(change: dict[str, Any]) -> None:
    assert read(JSON, metric_json({**GOOD, **change})) == read(JSON, metric_json(GOOD))


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"timeUnixNano": "x"}, "timeUnixNano must be an integer, not 'x'"),
        ({"timeUnixNano": -1}, "timeUnixNano must be an integer from 0 to"),
        ({"timeUnixNano": 1 << 64}, "timeUnixNano must be an integer from 0 to"),
        ({"timeUnixNano": True}, "timeUnixNano must be an integer, not a boolean"),
        ({"asDouble": "nan"}, "asDouble must be a number, not 'nan'"),
        ({"asDouble": 10**400}, "asDouble must fit a 64-bit float"),
        ({"asInt": 1}, "asInt is one too many"),
        ({"attributes": {}}, "attributes must be an array, not an object"),
        ({"attributes": [5]}, "attributes must be an object, not a number"),
        (
            {"attributes": [{"key": "a", "value": {"bytesValue": "!"}}]},
            "attributes value bytesValue must be base64",
        ),
        ({"flags": 1 << 32}, "flags must be an integer from 0 to"),
    ],
)
def test_a_data_point_with_an_invalid_field_is_refused_alone(
    change: dict[str, Any], detail: str
) -> None:
    found = read(JSON, metric_json(GOOD, {**GOOD, **change}, GOOD))
    assert found is not None
    rows, [refused] = found
    assert len(rows) == 2
    assert refused.place == "/resourceMetrics/0/scopeMetrics/0/metrics/0/gauge/dataPoints/1"
    assert refused.reason is Reason.SYNTAX
    assert refused.detail.startswith(detail)


@pytest.mark.parametrize("more", [{"name": 5}, {"gauge": []}, {"gauge": {"dataPoints": {}}}])
def test_a_metric_with_an_invalid_field_is_refused_as_one(more: dict[str, Any]) -> None:
    found = read(JSON, metric_json(GOOD, **more))
    assert found is not None
    assert found[0] == []
    assert [(each.reason, each.points) for each in found[1]] == [(Reason.SYNTAX, 1)]


def test_a_metric_has_one_kind_of_data() -> None:
    found = read(JSON, metric_json(GOOD, sum={"dataPoints": [GOOD]}))
    assert found is not None
    assert found[0] == []
    assert "gauge is there as well" in found[1][0].detail


@pytest.mark.parametrize("broken", [rb"\ud800", b"\xff"])
def test_text_that_is_not_unicode_becomes_replacement_characters(broken: bytes) -> None:
    point = {**GOOD, "attributes": [{"key": "a", "value": {"stringValue": "HERE"}}]}
    found = read(JSON, metric_json(point, GOOD).replace(b"HERE", broken))
    assert found is not None
    assert [row[3] for row in found[0]] == [(("a", "\N{REPLACEMENT CHARACTER}"),), ()]


@pytest.mark.parametrize("size", [MAX_ON_LOOP, MAX_ON_LOOP + 1])
def test_large_bodies_are_read_in_a_thread(size: int) -> None:
    seen = []

    class Spy(JsonReader):
        def read(self, body: bytes, terms: BodyTerms) -> Decoded:
            seen.append(threading.current_thread() is threading.main_thread())
            return super().read(body, terms)

    otlp = ReaderFormat(lambda: Spy(ALLOWED))
    decoded = asyncio.run(otlp.decode(metric_json(GOOD).ljust(size), TERMS))
    assert len(decoded.points) == 1
    assert decoded.timed
    assert otlp.repeats
    assert seen == [size <= MAX_ON_LOOP]
