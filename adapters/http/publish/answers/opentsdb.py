"""Answers to OpenTSDB's clients (OpenTSDB 2.4 "HTTP API", `/api/put` and "Errors")."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters.http.problems import Answer, Headers, kept_headers
from adapters.http.publish.answers.ports import (
    Asked,
    answer,
    first_reasons,
    receipt_headers,
)
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Refusals, RefusedPoint

MAX_ERRORS = 100
"""Refused points that an answer to `?details` lists."""


class _Refused(Struct, frozen=True):
    datapoint: Any
    error: str


class OpenTsdbAnswers:
    """Implements Answers. Some points refused is a 400, the same if all are."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        headers = receipt_headers(published)
        refused = published.refused
        failed = refused.points if refused else 0
        if "summary" in asked.parameters or "details" in asked.parameters:
            said: dict[str, object] = {"success": published.points, "failed": failed}
            if "details" in asked.parameters:
                said["errors"] = _errors(refused) if refused else []
            return _json(400 if refused else 200, said, headers)
        if not refused:
            return answer(204, headers)
        sent = published.points + failed
        message = f"{failed} of {sent} data points had errors; the others are stored"
        return _error(400, message, first_reasons(refused), headers)

    def failed(self, problem: Answer, asked: Asked) -> Answer:  # noqa: ARG002  of the protocol
        said = problem.problem
        title, detail = (said.title, said.detail) if said else ("", "")
        return _error(problem.status, detail, title, kept_headers(problem))


def _errors(refused: Refusals) -> list[_Refused]:
    return [
        _Refused(_datapoint(point), f"{point.place}: {point.detail}")
        for point in refused.first[:MAX_ERRORS]
    ]


def _datapoint(point: RefusedPoint) -> object:
    """Return a refused item, as text if it is no strict JSON, null if it was too long to keep."""
    original = point.original.encode()
    if not original:
        return None
    try:
        msgspec.json.decode(original)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return point.original
    return Raw(original)


def _error(status: int, message: str, details: str, headers: Headers) -> Answer:
    said = {"code": status, "message": message, "details": details}
    return _json(status, {"error": said}, headers)


def _json(status: int, content: object, headers: Headers) -> Answer:
    return answer(status, headers, b"application/json", msgspec.json.encode(content))
