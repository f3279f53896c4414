"""Answers to the service's own JSON (contract, "Publish" and "Other ways in")."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from adapters.http.problems import TYPE_OF, Answer, FaultEntry, plain_problem
from adapters.http.publish.answers.ports import Asked, answer, receipt_headers
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Reason, Refusals, RefusedPoint
from domain.errors import MAX_FAULTS, InvalidMetrics, SeriesLimitExceeded

RECEIPT_LINES = b"content-length: 0\r\ncave-receipt: %b\r\n"
"""The lines of the headers of a plain 202 with a receipt, as `JsonAnswers.stored` returns them."""


class _Partly(Struct, frozen=True):
    """The answer to `?partial=true`; `errors` has the first 100 points that were refused."""

    accepted: int
    refused: int
    errors: list[FaultEntry]


class JsonAnswers:
    """Implements Answers. Errors are problem documents (RFC 9457)."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        headers = receipt_headers(published)
        refused = published.refused
        if asked.parameters.get("partial") != "true":
            return answer(202, headers)
        errors = _errors(refused) if refused else []
        if refused and not published.points:
            return _none_stored(refused, errors)
        partly = _Partly(published.points, refused.points if refused else 0, errors)
        return answer(202, headers, b"application/json", msgspec.json.encode(partly))

    def failed(self, problem: Answer, asked: Asked) -> Answer:  # noqa: ARG002  of the protocol
        return problem


def _none_stored(refused: Refusals, errors: list[FaultEntry]) -> Answer:
    """Return the answer without a stored point: a 429 if all of them can be sent again as is."""
    if refused.retry_after is None or refused.counts[Reason.SERIES] < refused.points:
        said = f"none of the {refused.points} points was accepted; nothing was stored"
        return plain_problem(400, said, type=TYPE_OF[InvalidMetrics], errors=errors)
    said = f"no series of the {refused.points} points has room; nothing was stored"
    problem = plain_problem(429, said, type=TYPE_OF[SeriesLimitExceeded], errors=errors)
    problem.headers.append((b"retry-after", b"%d" % refused.retry_after))
    return problem


def _errors(refused: Refusals) -> list[FaultEntry]:
    return [_error(point) for point in refused.first[:MAX_FAULTS]]


def _error(point: RefusedPoint) -> FaultEntry:
    if point.reason is Reason.SERIES:  # its place is no pointer
        return FaultEntry(detail=f"{point.place}: {point.detail}")
    index = int(point.place.split("/")[2])
    return FaultEntry(pointer=point.place, detail=point.detail, index=index)
