"""Answers to OTLP (OpenTelemetry Protocol Specification, "OTLP/HTTP Response").

They are in the media type of the request. Of one that is not supported, they are in JSON, which
people can read.
"""

from __future__ import annotations

from typing import Any

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from msgspec import Struct
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)

from adapters.http.problems import Answer, kept_headers
from adapters.http.publish.answers.ports import (
    Asked,
    answer,
    first_reasons,
    receipt_headers,
)
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Refusals

PROTOBUF = "otlp_protobuf"
_INTERNAL = 13
_CODES = {
    400: 3,  # INVALID_ARGUMENT
    401: 16,  # UNAUTHENTICATED
    403: 7,  # PERMISSION_DENIED
    404: 5,  # NOT_FOUND
    413: 8,  # RESOURCE_EXHAUSTED
    415: 3,
    422: 9,  # FAILED_PRECONDITION
    429: 8,
    501: 12,  # UNIMPLEMENTED
    503: 14,  # UNAVAILABLE
}
"""Codes of `google.rpc.Code` by status. Clients go by the status."""


class _PartialSuccess(Struct, frozen=True, rename="camel"):
    rejected_data_points: str
    error_message: str


class _Response(Struct, frozen=True, rename="camel", omit_defaults=True):
    """ExportMetricsServiceResponse as JSON, where 64-bit integers are strings."""

    partial_success: _PartialSuccess | None = None


class OtlpAnswers:
    """Implements Answers. Partial success is a 200, even if no point was good."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        refused = published.refused
        if asked.format != PROTOBUF:
            response = _Response()
            if refused:
                response = _Response(_PartialSuccess(str(refused.points), _reasons(refused)))
            return _json(200, response, receipt_headers(published))
        message = ExportMetricsServiceResponse()
        if refused:
            message.partial_success.rejected_data_points = refused.points
            message.partial_success.error_message = _reasons(refused)
        return _protobuf(200, message, receipt_headers(published))

    def failed(self, problem: Answer, asked: Asked) -> Answer:
        status = problem.status
        code = _CODES.get(status, _INTERNAL)
        detail = problem.problem.detail if problem.problem else ""
        if asked.format != PROTOBUF:
            return _json(status, {"code": code, "message": detail}, kept_headers(problem))
        return _protobuf(status, _Status(code=code, message=detail), kept_headers(problem))


def _reasons(refused: Refusals) -> str:
    return f"{refused.points} data points were refused. {first_reasons(refused)}"


def _json(status: int, content: object, headers: list[tuple[bytes, bytes]]) -> Answer:
    return answer(status, headers, b"application/json", msgspec.json.encode(content))


def _protobuf(status: int, message: Any, headers: list[tuple[bytes, bytes]]) -> Answer:
    return answer(status, headers, b"application/x-protobuf", message.SerializeToString())


def _status_message() -> Any:
    """Return the class of `google.rpc.Status`, without its details."""
    file = descriptor_pb2.FileDescriptorProto(
        name="google/rpc/status.proto", package="google.rpc", syntax="proto3"
    )
    field = descriptor_pb2.FieldDescriptorProto
    status = file.message_type.add(name="Status")
    status.field.add(name="code", number=1, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL)
    status.field.add(name="message", number=2, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("google.rpc.Status"))


_Status = _status_message()
