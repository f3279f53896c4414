"""The contestants' formats of request bodies."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence

import cramjam
from msgspec import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)

from tests.benchmarks.points import Point


class Format(Struct, frozen=True):
    """`content` returns the body of points; a text, if given, replaces every time in seconds.

    Binary formats have that text once, in a field that no reader knows, so that no two bodies are
    equal; their times are those of the points.
    """

    content_type: str
    content: Callable[[Sequence[Point], str | None], bytes]
    coding: str = ""


def _text(
    written: Callable[[Point, str], str], before: str = "", between: str = "", after: str = ""
) -> Callable[[Sequence[Point], str | None], bytes]:
    def content(points: Sequence[Point], stamp: str | None) -> bytes:
        each = (written(point, stamp or str(point.second)) for point in points)
        return (before + between.join(each) + after).encode()

    return content


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _cave(point: Point, second: str) -> str:
    tags = _json(point.tags)
    return f'{{"name":"{point.name}","timestamp":{second},"value":{point.value},"tags":{tags}}}'


def _opentsdb(point: Point, second: str) -> str:
    tags = _json(point.tags)
    return f'{{"metric":"{point.name}","timestamp":{second},"value":{point.value},"tags":{tags}}}'


def _import(point: Point, second: str) -> str:
    labels = _json({"__name__": point.name, **point.tags})
    return f'{{"metric":{labels},"values":[{point.value}],"timestamps":[{second}000]}}\n'


def _line(point: Point, second: str) -> str:
    tags = ",".join(f"{name}={value}" for name, value in point.tags.items())
    return f"{point.name},{tags} value={point.value} {second}\n"


def _remote_write(points: Sequence[Point], stamp: str | None) -> bytes:
    """Return a write request (remote write 1.0) as a snappy block; each point is a series."""
    series = b"".join(_field(1, _series(point)) for point in points)
    block = bytes(cramjam.snappy.compress_raw(series))
    trailer = _trailer(points, stamp)
    # The trailer is a literal of its own, so that its text can be replaced in the block.
    return (
        _varint(len(series) + len(trailer))
        + block[len(_varint(len(series))) :]
        + bytes([len(trailer) - 1 << 2])
        + trailer
    )


def _series(point: Point) -> bytes:
    labels = sorted({"__name__": point.name.replace(".", "_"), **point.tags}.items())
    written = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels
    )
    sample = b"\x09" + _double(float(point.value)) + b"\x10" + _varint(point.second * 1000)
    return written + _field(2, sample)


def _otlp(points: Sequence[Point], stamp: str | None) -> bytes:
    """Return an export request with a gauge per name, in protobuf."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    for name in dict.fromkeys(point.name for point in points):
        metric = scope.metrics.add(name=name)
        for point in points:
            if point.name == name:
                taken = metric.gauge.data_points.add(
                    time_unix_nano=point.second * 10**9, as_double=float(point.value)
                )
                for tag, value in point.tags.items():
                    taken.attributes.add(key=tag).value.string_value = value
    content: bytes = request.SerializeToString()
    return content + _trailer(points, stamp)


def _trailer(points: Sequence[Point], stamp: str | None) -> bytes:
    return _field(15, (stamp or f"{points[0].second:010d}").encode())


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def _double(value: float) -> bytes:
    return struct.pack("<d", value)


CAVE = Format("application/json", _text(_cave, '{"metrics":[', ",", "]}"))
OPENTSDB = Format("application/json", _text(_opentsdb, "[", ",", "]"))
VICTORIA_IMPORT = Format("application/json", _text(_import))
INFLUX_LINES = Format("text/plain", _text(_line))
REMOTE_WRITE = Format("application/x-protobuf", _remote_write, "snappy")
OTLP = Format("application/x-protobuf", _otlp)
