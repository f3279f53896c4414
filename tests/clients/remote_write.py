"""What is sent by remote write 1.0, recorded or written.

This reads bodies with the message classes of the specification's .proto file, independently of the
service's own reader (https://prometheus.io/docs/specs/prw/remote_write_spec/, "Protocol").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from tests.clients.points import Point, point
from tests.promql.samples import SampleSeries

STALE = bytes.fromhex("7ff0000000000002")
"""The bits of the value that marks a series as ended."""

_MESSAGES = {
    "Label": [("name", 1, "STRING"), ("value", 2, "STRING")],
    "Sample": [("value", 1, "DOUBLE"), ("timestamp", 2, "INT64")],
    "TimeSeries": [("labels", 1, "*Label"), ("samples", 2, "*Sample")],
    "MetricMetadata": [
        ("type", 1, "INT32"),
        ("metric_family_name", 2, "STRING"),
        ("help", 4, "STRING"),
        ("unit", 5, "STRING"),
    ],
    "WriteRequest": [("timeseries", 1, "*TimeSeries"), ("metadata", 3, "*MetricMetadata")],
}


def _write_request() -> Any:
    """Return the class of the message `WriteRequest`."""
    file = descriptor_pb2.FileDescriptorProto(name="recorded_write.proto", package="recorded")
    kinds = descriptor_pb2.FieldDescriptorProto
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind in fields:
            field = described.field.add(name=name, number=number, label=kinds.LABEL_OPTIONAL)
            if kind.startswith("*"):
                field.label, field.type = kinds.LABEL_REPEATED, kinds.TYPE_MESSAGE
                field.type_name = f".recorded.{kind[1:]}"
            else:
                field.type = kinds.Type.Value(f"TYPE_{kind}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = pool.FindMessageTypeByName("recorded.WriteRequest")
    return message_factory.GetMessageClass(found)


_WriteRequest = _write_request()


def write_request(series: Iterable[SampleSeries]) -> bytes:
    """Return a compressed body with these series."""
    request = _WriteRequest()
    for one in series:
        written = request.timeseries.add()
        for name, value in sorted(one.labels.items()):
            written.labels.add(name=name, value=value)
        for time, number in zip(one.times, one.values, strict=True):
            written.samples.add(timestamp=time, value=number)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


class Recorder:
    """What was received: points as often as they came, and the families that have metadata."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self.families: set[str] = set()

    def record(self, body: bytes) -> None:
        """Record a compressed body."""
        request = _WriteRequest.FromString(bytes(cramjam.snappy.decompress_raw(body)))
        for series in request.timeseries:
            tags = {label.name: label.value for label in series.labels}
            name = tags.pop("__name__")
            self.points += [
                point(name, sample.timestamp, sample.value, tags) for sample in series.samples
            ]
        self.families |= {each.metric_family_name for each in request.metadata}
