"""Answers to KairosDB's clients (KairosDB 1.3 "REST API", "Add Data Points")."""

from __future__ import annotations

import msgspec

from adapters.http.problems import Answer, Headers, kept_headers
from adapters.http.publish.answers.ports import Asked, answer, receipt_headers
from application.publishing.publish_metrics import Published

MAX_ERRORS = 100
"""Refused points that an answer lists."""


class KairosAnswers:
    """Implements Answers. Some points refused is a 400, the same if all are."""

    def stored(self, published: Published, asked: Asked) -> Answer:  # noqa: ARG002  of the protocol
        headers = receipt_headers(published)
        if not published.refused:
            return answer(204, headers)
        first = published.refused.first[:MAX_ERRORS]
        return _errors(400, [f"{point.place}: {point.detail}" for point in first], headers)

    def failed(self, problem: Answer, asked: Asked) -> Answer:  # noqa: ARG002  of the protocol
        detail = problem.problem.detail if problem.problem else ""
        return _errors(problem.status, [detail], kept_headers(problem))


def _errors(status: int, errors: list[str], headers: Headers) -> Answer:
    return answer(status, headers, b"application/json", msgspec.json.encode({"errors": errors}))
