"""Answers to the service's own JSON (contract, "Publish" and "Other ways in")."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from adapters.http.problems import TYPE_OF, Answer, FaultEntry, plain_problem
from adapters.http.publish.answers.ports import Asked, answer, receipt_headers
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Refusals
from domain.errors import MAX_FAULTS, InvalidMetrics


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
            return plain_problem(
                400,
                f"none of the {refused.points} points is valid; nothing was stored",
                type=TYPE_OF[InvalidMetrics],
                errors=errors,
            )
        partly = _Partly(published.points, refused.points if refused else 0, errors)
        return answer(202, headers, b"application/json", msgspec.json.encode(partly))

    def failed(self, problem: Answer, asked: Asked) -> Answer:  # noqa: ARG002  of the protocol
        return problem


def _errors(refused: Refusals) -> list[FaultEntry]:
    return [
        FaultEntry(pointer=point.place, detail=point.detail, index=int(point.place.split("/")[2]))
        for point in refused.first[:MAX_FAULTS]
    ]
