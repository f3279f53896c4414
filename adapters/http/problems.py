"""Answers to errors: a table of statuses, and problem documents (RFC 9457)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from msgspec import Struct

from adapters.http import errors as http
from application import errors as application
from application.projections import errors as projections
from domain import errors as domain

CONTENT_TYPE = b"application/problem+json"
RETRY_AFTER = 1
"""Seconds after which to retry a request answered with a 503."""

Headers = list[tuple[bytes, bytes]]

STATUS_OF: dict[type[Exception], int] = {
    application.MalformedBody: 400,
    http.InvalidBody: 400,
    http.InvalidParameters: 400,
    http.MissingCredentials: 401,
    application.BodyTooLarge: 413,
    http.UnsupportedMedia: 415,
    http.TooManyBodies: 503,
    domain.InvalidMetrics: 400,
    domain.InvalidArgument: 400,
    domain.Forbidden: 403,
    domain.UnknownOrganization: 404,
    domain.UnknownTeam: 404,
    domain.UnknownToken: 404,
    domain.OrganizationExists: 409,
    domain.TeamExists: 409,
    domain.TooManyTokens: 409,
    domain.LastToken: 409,
    domain.IdempotencyConflict: 422,
    domain.QuotaExceeded: 429,
    domain.SeriesLimitExceeded: 429,
    application.LogUnavailable: 503,
    application.LogFull: 503,
    application.LogSaturated: 503,
    application.IdempotencyFull: 503,
    application.OutcomeUnknown: 503,
    application.LogUnfit: 503,
    application.LogGap: 503,
    application.ArchiveUnavailable: 503,
    application.ArchiveDamaged: 503,
    application.DirectoryStale: 503,
    application.VersionConflict: 503,
    application.UnknownReceipt: 404,
    projections.UnknownMetric: 404,
    projections.StoreUnavailable: 503,
    projections.StoreFull: 503,
    projections.ProjectionMissing: 503,
    projections.NotReadableYet: 503,
    projections.TooManyQueries: 503,
    projections.QueryTooLarge: 503,
}
"""The status of every error that a use case or a request raises. Any other is a defect: 500."""

TYPE_OF: dict[type[Exception], str] = {
    error: "urn:cave:problem:"
    + "".join(f"-{c.lower()}" if c.isupper() else c for c in error.__name__).lstrip("-")
    for error in STATUS_OF
}
"""The `type` of each problem, for programs to distinguish errors of one status."""


class FaultEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An invalid field of the body or parameter of the URL.

    `pointer` is a field's JSON pointer, and `index` its item of a batch, unless the fault is of the
    body as a whole; `parameter` is the name of a parameter.
    """

    pointer: str | None = None
    parameter: str | None = None
    detail: str
    index: int | None = None


class Problem(Struct, frozen=True, omit_defaults=True):
    """A problem document. `errors` has the first 100 faults of invalid content (400)."""

    title: str
    status: int
    detail: str
    type: str = ""
    errors: list[FaultEntry] | None = None


class Answer(Struct, frozen=True):
    """An answer's parts; `problem` is what the body of an error says."""

    status: int
    headers: Headers
    body: bytes
    problem: Problem | None = None


def header_lines(headers: Headers) -> bytes:
    """Return headers as they are sent."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


async def send_answer(send: Callable[[Any], Awaitable[None]], answer: Answer) -> None:
    """Send an answer on a bare ASGI connection."""
    start = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
    await send(start)
    await send({"type": "http.response.body", "body": answer.body})


def problem_answer(error: Exception) -> Answer:
    """Return the answer for an error in the table, or else a 500 that shows no internals."""
    status = STATUS_OF.get(type(error))
    if status is None:
        return plain_problem(500, "the service failed to answer; the failure was logged")
    faults = None
    if isinstance(error, (domain.InvalidMetrics, http.InvalidBody)):
        faults = [
            FaultEntry(pointer=f.pointer, detail=f.detail, index=f.index) for f in error.faults
        ]
    elif isinstance(error, http.InvalidParameters):
        faults = [FaultEntry(parameter=f.parameter, detail=f.detail) for f in error.faults]
    answer = plain_problem(status, str(error), type=TYPE_OF[type(error)], errors=faults)
    if status == 401:
        answer.headers.append((b"www-authenticate", b'Basic realm="CAVE"'))
        answer.headers.append((b"www-authenticate", b'Bearer realm="CAVE"'))
    elif isinstance(error, (domain.QuotaExceeded, domain.SeriesLimitExceeded)):
        answer.headers.append((b"retry-after", b"%d" % error.retry_after))
    elif status == 503:
        answer.headers.append((b"retry-after", b"%d" % RETRY_AFTER))
    return answer


def plain_problem(
    status: int,
    detail: str,
    *,
    type: str = "about:blank",  # noqa: A002  the field's name in RFC 9457
    errors: list[FaultEntry] | None = None,
) -> Answer:
    """Return a problem document for no particular error class."""
    title = HTTPStatus(status).phrase
    problem = Problem(type=type, title=title, status=status, detail=detail, errors=errors)
    body = msgspec.json.encode(problem)
    return Answer(
        status,
        [(b"content-type", CONTENT_TYPE), (b"content-length", b"%d" % len(body))],
        body,
        problem,
    )


def kept_headers(problem: Answer) -> Headers:
    """Return the headers of a problem that do not describe its body, such as Retry-After."""
    return [header for header in problem.headers if not header[0].startswith(b"content-")]
