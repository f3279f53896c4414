"""Answers to InfluxDB's clients, in the form of each version of its API.

Sources: InfluxDB 1.8 "InfluxDB API reference", `/write`; InfluxDB 2 API, `/api/v2/write`;
InfluxDB 3 API, `/api/v3/write_lp`.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from adapters.http.problems import Answer, Headers, kept_headers
from adapters.http.publish.answers.ports import (
    Asked,
    answer,
    first_reasons,
    receipt_headers,
)
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Reason, Refusals, RefusedPoint

VERSION_1, VERSION_3 = "influx_1", "influx_3"
MAX_LINES = 100
"""Refused lines that an answer of version 3 lists."""

_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    413: "request too large",
    415: "invalid",
    422: "unprocessable entity",
    429: "too many requests",
    501: "not implemented",
    503: "unavailable",
}
"""The field `code` of version 2, by status."""


class _Line(Struct, frozen=True):
    """A refused line; the number is 0 for a series, which has lines that are not known any more."""

    original_line: str
    line_number: int
    error_message: str


class InfluxAnswers:
    """Implements Answers. Some points refused is a 400, the same if all are."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        headers = receipt_headers(published)
        refused = published.refused
        if not refused:
            return answer(204, headers)
        if asked.format == VERSION_3:
            said = {"error": "partial write of line protocol occurred", "data": _lines(refused)}
            return _json(400, said, headers)
        # Telegraf drops what was not stored if "partial write" is in the message of version 1, and
        # sends it again and again if it is not.
        sent = published.points + refused.points
        message = f"partial write: {refused.points} of {sent} points were refused: "
        return influx_error(400, message + first_reasons(refused), asked.format, headers)

    def failed(self, problem: Answer, asked: Asked) -> Answer:
        detail = problem.problem.detail if problem.problem else ""
        return influx_error(problem.status, detail, asked.format, kept_headers(problem))


def influx_error(status: int, message: str, version: str, headers: Headers) -> Answer:
    """Return an error in the form of a version, which is given by the name of its format."""
    if version in (VERSION_1, VERSION_3):
        return _json(status, {"error": message}, headers)
    code = _CODES.get(status, "internal error")
    return _json(status, {"code": code, "message": message}, headers)


def _lines(refused: Refusals) -> list[_Line]:
    return [_line(point) for point in refused.first[:MAX_LINES]]


def _line(point: RefusedPoint) -> _Line:
    if point.reason is Reason.SERIES:  # its place is no line
        return _Line("", 0, f"{point.place}: {point.detail}")
    return _Line(point.original, int(point.place.removeprefix("line ")), point.detail)


def _json(status: int, content: object, headers: Headers) -> Answer:
    return answer(status, headers, b"application/json", msgspec.json.encode(content))
