"""What a protocol's answers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from adapters.http.problems import Answer, Headers
from application.publishing.publish_metrics import Published
from application.publishing.refusals import Refusals

NAMED = 5
"""Refused points that a message about them names."""


class Asked(Struct, frozen=True):
    """What an answer depends on besides its outcome: the format's name, and the URL's parameters.

    The format is empty if the request's media type is not one of its route.
    """

    format: str
    parameters: Mapping[str, str] = {}


class Answers(Protocol):
    """The answers of one protocol."""

    def stored(self, published: Published, asked: Asked) -> Answer:
        """Return the answer to a body whose good points, if any, are stored.

        Points may have been refused, even all of them.
        """

    def failed(self, problem: Answer, asked: Asked) -> Answer:
        """Return the protocol's form of an error, of which nothing was stored.

        `problem` is a problem document with its status and headers, `problem.problem` its content.
        """


def receipt_headers(published: Published) -> Headers:
    """Return the headers that say where a batch is in the log; none if nothing was appended."""
    appended = published.appended
    if appended is None:
        return []
    headers = [(b"cave-receipt", str(appended.receipt).encode())]
    if appended.replayed:
        headers.append((b"idempotent-replayed", b"true"))
    return headers


def answer(status: int, headers: Headers, media_type: bytes = b"", body: bytes = b"") -> Answer:
    """Return an answer with its length, and its media type if one is given."""
    if media_type:
        headers = [(b"content-type", media_type), *headers]
    if status != 204:  # which has no length (RFC 9110, section 8.6)
        headers = [(b"content-length", b"%d" % len(body)), *headers]
    return Answer(status, headers, body)


def first_reasons(refused: Refusals) -> str:
    """Return where the first refused points were, and why each was refused."""
    first = refused.first[:NAMED]
    more = "; …" if refused.points > sum(point.points for point in first) else ""
    return "; ".join(f"{point.place}: {point.detail}" for point in first) + more
