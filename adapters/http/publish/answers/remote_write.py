"""Answers to Prometheus remote write (1.0 and 2.0, "Response", "Partial Write").

Senders log a text as it is, and never read it.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapters.http.problems import Answer, Headers, kept_headers
from adapters.http.publish.answers.ports import (
    Asked,
    answer,
    first_reasons,
    receipt_headers,
)
from application.publishing.publish_metrics import Published

VERSION_2 = "remote_write_2"
_TEXT = b"text/plain; charset=utf-8"
_WRITTEN = ("samples", "histograms", "exemplars")


class RemoteWriteAnswers:
    """Implements Answers. What is not stored makes a 400, which is not sent again."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        headers = [*_written(asked, published.sent), *receipt_headers(published)]
        refused = published.refused
        if not refused:
            return answer(204, headers)
        sent = published.points + refused.points
        text = f"{refused.points} of {sent} points were refused: {first_reasons(refused)}"
        return answer(400, headers, _TEXT, text.encode())

    def failed(self, problem: Answer, asked: Asked) -> Answer:
        headers = [*_written(asked, {}), *kept_headers(problem)]
        detail = problem.problem.detail if problem.problem else ""
        return answer(problem.status, headers, _TEXT, detail.encode())


def _written(asked: Asked, sent: Mapping[str, int]) -> Headers:
    """Return the headers that version 2 requires with every answer; exemplars are never stored."""
    if asked.format != VERSION_2:
        return []
    return [
        (b"x-prometheus-remote-write-%b-written" % kind.encode(), b"%d" % sent.get(kind, 0))
        for kind in _WRITTEN
    ]
