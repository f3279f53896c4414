"""The protobuf messages of remote read (`prometheus/prompb/remote.proto` and `types.proto`).

Samples are not described: there can be millions, and `samples.py` writes them.
"""

from __future__ import annotations

from adapters.protobuf_messages import Field, Type, message_classes

SAMPLES, STREAMED_XOR_CHUNKS = 0, 1
"""ReadRequest.ResponseType."""

XOR = 1
"""Chunk.Encoding."""

_classes = message_classes(
    "cave.remote_read",
    {
        # `hints` are left out: they only say how the client will use the samples.
        "ReadRequest": {
            "queries": Field(1, "Query", repeated=True),
            "accepted_response_types": Field(2, Type.TYPE_INT32, repeated=True),  # an enum
        },
        "Query": {
            "start_timestamp_ms": Field(1, Type.TYPE_INT64),
            "end_timestamp_ms": Field(2, Type.TYPE_INT64),
            "matchers": Field(3, "LabelMatcher", repeated=True),
        },
        "LabelMatcher": {
            "type": Field(1, Type.TYPE_INT32),  # an enum
            "name": Field(2, Type.TYPE_STRING),
            "value": Field(3, Type.TYPE_STRING),
        },
        "Label": {
            "name": Field(1, Type.TYPE_STRING),
            "value": Field(2, Type.TYPE_STRING),
        },
        "TimeSeries": {"labels": Field(1, "Label", repeated=True)},
        "ChunkedReadResponse": {
            "chunked_series": Field(1, "ChunkedSeries", repeated=True),
            "query_index": Field(2, Type.TYPE_INT64),
        },
        "ChunkedSeries": {
            "labels": Field(1, "Label", repeated=True),
            "chunks": Field(2, "Chunk", repeated=True),
        },
        "Chunk": {
            "min_time_ms": Field(1, Type.TYPE_INT64),
            "max_time_ms": Field(2, Type.TYPE_INT64),
            "type": Field(3, Type.TYPE_INT32),  # an enum
            "data": Field(4, Type.TYPE_BYTES),
        },
    },
)

ReadRequest = _classes["ReadRequest"]
Label = _classes["Label"]
TimeSeries = _classes["TimeSeries"]
ChunkedReadResponse = _classes["ChunkedReadResponse"]
ChunkedSeries = _classes["ChunkedSeries"]
Chunk = _classes["Chunk"]
