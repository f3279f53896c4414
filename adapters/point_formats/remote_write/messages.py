"""The protobuf messages of remote write (1.0 and 2.0, "Protocol" and "Protobuf Message").

Texts are bytes here: one that is not UTF-8 then costs its series only, not the body. Some messages
are left as bytes as well, which have the same form on the wire: labels and metadata, whose meaning
a memo has, and exemplars, which are only counted. Fields that are not read are left out.
"""

from __future__ import annotations

from adapters.protobuf_messages import Field, Type, message_classes

_MESSAGES: dict[str, dict[str, Field]] = {
    # prometheus.WriteRequest; 1.0 reserves `metadata`, with which Prometheus sends descriptions.
    "WriteRequest": {
        "timeseries": Field(1, "TimeSeries", repeated=True),
        "metadata": Field(3, "MetricMetadata", repeated=True),
    },
    "TimeSeries": {
        "labels": Field(1, Type.TYPE_BYTES, repeated=True),  # Label
        "samples": Field(2, "Sample", repeated=True),
        "histograms": Field(4, "Histogram", repeated=True),
    },
    "Label": {
        "name": Field(1, Type.TYPE_BYTES),
        "value": Field(2, Type.TYPE_BYTES),
    },
    "MetricMetadata": {
        "type": Field(1, Type.TYPE_INT32),  # an enum, equal to that of Metadata
        "metric_family_name": Field(2, Type.TYPE_BYTES),
        "help": Field(4, Type.TYPE_BYTES),
        "unit": Field(5, Type.TYPE_BYTES),
    },
    # io.prometheus.write.v2.Request
    "Request": {
        "symbols": Field(4, Type.TYPE_BYTES, repeated=True),
        "timeseries": Field(5, "TimeSeries2", repeated=True),
    },
    "TimeSeries2": {
        "labels_refs": Field(1, Type.TYPE_UINT32, repeated=True),
        "samples": Field(2, "Sample", repeated=True),
        "histograms": Field(3, "Histogram", repeated=True),
        "exemplars": Field(4, Type.TYPE_BYTES, repeated=True),  # Exemplar
        "metadata": Field(5, Type.TYPE_BYTES),  # Metadata
    },
    "Metadata": {
        "type": Field(1, Type.TYPE_INT32),  # an enum
        "help_ref": Field(3, Type.TYPE_UINT32),
        "unit_ref": Field(4, Type.TYPE_UINT32),
    },
    # The same in both versions.
    "Sample": {
        "value": Field(1, Type.TYPE_DOUBLE),
        "timestamp": Field(2, Type.TYPE_INT64),  # in milliseconds
    },
    "Histogram": {
        "count_int": Field(1, Type.TYPE_UINT64, one_of="count"),
        "count_float": Field(2, Type.TYPE_DOUBLE, one_of="count"),
        "sum": Field(3, Type.TYPE_DOUBLE),
        "schema": Field(4, Type.TYPE_SINT32),
        "zero_threshold": Field(5, Type.TYPE_DOUBLE),
        "zero_count_int": Field(6, Type.TYPE_UINT64, one_of="zero_count"),
        "zero_count_float": Field(7, Type.TYPE_DOUBLE, one_of="zero_count"),
        "negative_spans": Field(8, "BucketSpan", repeated=True),
        "negative_deltas": Field(9, Type.TYPE_SINT64, repeated=True),
        "negative_counts": Field(10, Type.TYPE_DOUBLE, repeated=True),
        "positive_spans": Field(11, "BucketSpan", repeated=True),
        "positive_deltas": Field(12, Type.TYPE_SINT64, repeated=True),
        "positive_counts": Field(13, Type.TYPE_DOUBLE, repeated=True),
        "timestamp": Field(15, Type.TYPE_INT64),  # in milliseconds
        "custom_values": Field(16, Type.TYPE_DOUBLE, repeated=True),
    },
    "BucketSpan": {
        "offset": Field(1, Type.TYPE_SINT32),
        "length": Field(2, Type.TYPE_UINT32),
    },
    # Parts of a Request, for one that is read in pieces.
    "Symbols": {"symbols": Field(4, Type.TYPE_BYTES, repeated=True)},
    "Series": {"timeseries": Field(5, "TimeSeries2", repeated=True)},
}

_classes = message_classes("cave.remote_write", _MESSAGES)

WriteRequest = _classes["WriteRequest"]
TimeSeries = _classes["TimeSeries"]
Label = _classes["Label"]
Request = _classes["Request"]
Symbols = _classes["Symbols"]
Series = _classes["Series"]
Metadata = _classes["Metadata"]
