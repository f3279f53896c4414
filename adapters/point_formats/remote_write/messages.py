"""The protobuf messages of remote write (1.0 and 2.0, "Protocol" and "Protobuf Message").

Texts are bytes here: one that is not UTF-8 then costs its series only, not the body. Some messages
are left as bytes as well, which have the same form on the wire: labels and metadata, whose meaning
a memo has, and exemplars, which are only counted. Fields that are not read are left out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Type = descriptor_pb2.FieldDescriptorProto


class _Field(NamedTuple):
    """A field: its number, its type, or that of its messages, and the `oneof` that it is in."""

    number: int
    type: int | str
    repeated: bool = False
    one_of: str = ""


_PACKAGE = "cave.remote_write"

_MESSAGES: dict[str, dict[str, _Field]] = {
    # prometheus.WriteRequest; 1.0 reserves `metadata`, with which Prometheus sends descriptions.
    "WriteRequest": {
        "timeseries": _Field(1, "TimeSeries", repeated=True),
        "metadata": _Field(3, "MetricMetadata", repeated=True),
    },
    "TimeSeries": {
        "labels": _Field(1, _Type.TYPE_BYTES, repeated=True),  # Label
        "samples": _Field(2, "Sample", repeated=True),
        "histograms": _Field(4, "Histogram", repeated=True),
    },
    "Label": {
        "name": _Field(1, _Type.TYPE_BYTES),
        "value": _Field(2, _Type.TYPE_BYTES),
    },
    "MetricMetadata": {
        "type": _Field(1, _Type.TYPE_INT32),  # an enum, equal to that of Metadata
        "metric_family_name": _Field(2, _Type.TYPE_BYTES),
        "help": _Field(4, _Type.TYPE_BYTES),
        "unit": _Field(5, _Type.TYPE_BYTES),
    },
    # io.prometheus.write.v2.Request
    "Request": {
        "symbols": _Field(4, _Type.TYPE_BYTES, repeated=True),
        "timeseries": _Field(5, "TimeSeries2", repeated=True),
    },
    "TimeSeries2": {
        "labels_refs": _Field(1, _Type.TYPE_UINT32, repeated=True),
        "samples": _Field(2, "Sample", repeated=True),
        "histograms": _Field(3, "Histogram", repeated=True),
        "exemplars": _Field(4, _Type.TYPE_BYTES, repeated=True),  # Exemplar
        "metadata": _Field(5, _Type.TYPE_BYTES),  # Metadata
    },
    "Metadata": {
        "type": _Field(1, _Type.TYPE_INT32),  # an enum
        "help_ref": _Field(3, _Type.TYPE_UINT32),
        "unit_ref": _Field(4, _Type.TYPE_UINT32),
    },
    # The same in both versions.
    "Sample": {
        "value": _Field(1, _Type.TYPE_DOUBLE),
        "timestamp": _Field(2, _Type.TYPE_INT64),  # in milliseconds
    },
    "Histogram": {
        "count_int": _Field(1, _Type.TYPE_UINT64, one_of="count"),
        "count_float": _Field(2, _Type.TYPE_DOUBLE, one_of="count"),
        "sum": _Field(3, _Type.TYPE_DOUBLE),
        "schema": _Field(4, _Type.TYPE_SINT32),
        "zero_threshold": _Field(5, _Type.TYPE_DOUBLE),
        "zero_count_int": _Field(6, _Type.TYPE_UINT64, one_of="zero_count"),
        "zero_count_float": _Field(7, _Type.TYPE_DOUBLE, one_of="zero_count"),
        "negative_spans": _Field(8, "BucketSpan", repeated=True),
        "negative_deltas": _Field(9, _Type.TYPE_SINT64, repeated=True),
        "negative_counts": _Field(10, _Type.TYPE_DOUBLE, repeated=True),
        "positive_spans": _Field(11, "BucketSpan", repeated=True),
        "positive_deltas": _Field(12, _Type.TYPE_SINT64, repeated=True),
        "positive_counts": _Field(13, _Type.TYPE_DOUBLE, repeated=True),
        "timestamp": _Field(15, _Type.TYPE_INT64),  # in milliseconds
        "custom_values": _Field(16, _Type.TYPE_DOUBLE, repeated=True),
    },
    "BucketSpan": {
        "offset": _Field(1, _Type.TYPE_SINT32),
        "length": _Field(2, _Type.TYPE_UINT32),
    },
    # Parts of a Request, for one that is read in pieces.
    "Symbols": {"symbols": _Field(4, _Type.TYPE_BYTES, repeated=True)},
    "Series": {"timeseries": _Field(5, "TimeSeries2", repeated=True)},
}


def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(
        name="cave/remote_write.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        one_ofs = list(dict.fromkeys(field.one_of for field in fields.values() if field.one_of))
        for one_of in one_ofs:
            message.oneof_decl.add(name=one_of)
        for field_name, field in fields.items():
            described = message.field.add(
                name=field_name,
                number=field.number,
                label=_Type.LABEL_REPEATED if field.repeated else _Type.LABEL_OPTIONAL,
            )
            if isinstance(field.type, str):
                described.type = _Type.TYPE_MESSAGE
                described.type_name = f".{_PACKAGE}.{field.type}"
            else:
                described.type = field.type
            if field.one_of:
                described.oneof_index = one_ofs.index(field.one_of)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


_read = _pool()


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_read.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


WriteRequest = _class("WriteRequest")
TimeSeries = _class("TimeSeries")
Label = _class("Label")
Request = _class("Request")
Symbols = _class("Symbols")
Series = _class("Series")
Metadata = _class("Metadata")
