"""Protobuf messages of OTLP, made from those of `opentelemetry-proto` in four variants.

None has the fields that are not read, such as exemplars. upb keeps those as bytes, which saves the
time and the memory of parsing them. In a variant, some messages are left as bytes as well: they
have the same form on the wire. Such a field is repeated, because the parts of a message that is
sent in several pieces are to be joined (Protocol Buffers, "Encoding", "Last One Wins").
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.resource.v1 import resource_pb2

_FILES = (common_pb2, resource_pb2, metrics_pb2, metrics_service_pb2)
_METRICS = "opentelemetry.proto.metrics.v1."
_REQUEST = "opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest"

DATA = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
"""The fields of a metric's data, of which it has one."""

_Fields = Mapping[str, Iterable[str]]
_DATA_POINTS = (
    "NumberDataPoint",
    "HistogramDataPoint",
    "ExponentialHistogramDataPoint",
    "SummaryDataPoint",
)
_UNREAD: _Fields = {
    "ResourceMetrics": ("schema_url",),
    "ScopeMetrics": ("scope", "schema_url"),
    "Metric": ("metadata",),
    "Resource": ("dropped_attributes_count", "entity_refs"),
    **dict.fromkeys(_DATA_POINTS, ("start_time_unix_nano", "exemplars")),
}


def _pool(as_bytes: _Fields) -> descriptor_pool.DescriptorPool:
    """Return the messages without the unread fields, and with some fields as repeated bytes."""
    pool = descriptor_pool.DescriptorPool()
    for module in _FILES:
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            unread = _UNREAD.get(message.name, ())
            fields = [field for field in message.field if field.name not in unread]
            del message.field[:]
            message.field.extend(fields)
            for field in message.field:
                if field.name in as_bytes.get(message.name, ()):
                    _leave_as_bytes(field)
        pool.Add(file)
    return pool


def _leave_as_bytes(field: Any) -> None:
    field.type = field.TYPE_BYTES
    field.ClearField("type_name")
    field.label = field.LABEL_REPEATED


def _class(pool: descriptor_pool.DescriptorPool, name: str) -> Any:
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


_read = _pool({})
Request = _class(_read, _REQUEST)
Metric = _class(_read, f"{_METRICS}Metric")
Resource = _class(_read, "opentelemetry.proto.resource.v1.Resource")
KeyValue = _class(_read, "opentelemetry.proto.common.v1.KeyValue")
NumberDataPoint = _class(_read, f"{_METRICS}NumberDataPoint")

_outlined = _pool(
    {
        "ExportMetricsServiceRequest": ("resource_metrics",),
        "ResourceMetrics": ("resource", "scope_metrics"),
        "ScopeMetrics": ("metrics",),
    }
)
RequestOutline = _class(_outlined, _REQUEST)
"""A request whose parts are bytes, like those of the parts of the next two."""

ResourceMetricsOutline = _class(_outlined, f"{_METRICS}ResourceMetrics")
ScopeMetricsOutline = _class(_outlined, f"{_METRICS}ScopeMetrics")

_KINDS = ("Gauge", "Sum", "Histogram", "ExponentialHistogram", "Summary")
MetricOutline = _class(_pool(dict.fromkeys(_KINDS, ("data_points",))), f"{_METRICS}Metric")
"""A metric whose data points are bytes."""

QuickMetric = _class(_pool(dict.fromkeys(_DATA_POINTS, ("attributes",))), f"{_METRICS}Metric")
"""A metric whose data points have each attribute as bytes."""
