"""The route of remote read, below the same prefixes as the rest of Prometheus' HTTP API."""

from __future__ import annotations

from functools import partial

from litestar import Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from adapters.http.api.administration import AnyRequest, token_in
from adapters.http.body import SNAPPY, content_coding, inflate, read_body
from adapters.http.failures import ProblemResponse, failure_answer
from adapters.http.header_fields import header_fields
from adapters.http.problems import Answer, kept_headers
from adapters.http.prometheus.answers import RETRY_HEADERS, described, text_answer
from adapters.http.prometheus.api import PREFIXES, PrometheusApi
from adapters.http.prometheus.remote_read.answers import content
from adapters.http.prometheus.remote_read.requests import parsed_request
from application.reading.promql_errors import PromqlError, QueryTimedOut
from application.reading.read_series import ReadSeries

MAX_REQUEST = 1 << 20
"""Bytes of a request, as sent and decompressed."""


@post([f"{prefix}/read" for prefix in PREFIXES], status_code=200, name="prometheus_read")
async def remote_read(
    request: AnyRequest,
    prometheus: NamedDependency[PrometheusApi],
    organization: FromPath[str | None] = None,
    team: FromPath[str | None] = None,
) -> Response[bytes]:
    try:
        grant = prometheus.grant(token_in(request), organization, team)
        content_coding(header_fields(request.scope["headers"]).get(b"content-encoding"), (SNAPPY,))
        body = await read_body(request.receive, MAX_REQUEST)
        asked = parsed_request(inflate(body, SNAPPY, MAX_REQUEST))
        found = await prometheus.reading.queries.read_series(
            ReadSeries(grant, asked.queries), partial(content, asked.response_type)
        )
        stale = await prometheus.stale_headers()
        answer = Answer(200, [*found.headers, *described(found.body), *stale], found.body)
    except PromqlError as error:
        answer = _failed(error)
    except Exception as error:  # noqa: BLE001  answered, a defect with a 500
        problem = failure_answer(error, request.method, request.scope["path"])
        words = problem.problem.detail if problem.problem else ""
        answer = text_answer(problem.status, words, kept_headers(problem))
    return ProblemResponse(answer)


def _failed(error: PromqlError) -> Answer:
    """Return the answer to a request that is invalid or takes too much: a 400, as Prometheus'."""
    if isinstance(error, QueryTimedOut):
        return text_answer(503, str(error), RETRY_HEADERS)
    return text_answer(400, str(error))
