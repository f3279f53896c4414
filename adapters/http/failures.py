"""Problem documents for Litestar's errors, our own and unexpected ones."""

from __future__ import annotations

from collections.abc import Iterable
from traceback import format_exception
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.response.base import ASGIResponse
from litestar.types import ExceptionHandlersMap

from adapters.http.body import ClientDisconnected
from adapters.http.problems import STATUS_OF, Answer, plain_problem, problem_answer

_log = structlog.get_logger(__name__)


def failure_answer(error: Exception, method: str, path: str) -> Answer:
    """Return the answer for any error. An unexpected one is logged with its traceback.

    Method and path are logged, but never headers or the query: they may contain a token.
    """
    if type(error) in STATUS_OF:
        return problem_answer(error)
    if isinstance(error, HTTPException) and error.status_code < 500:
        return _refusal(error, method, path)
    if isinstance(error, ClientDisconnected):
        return plain_problem(400, "the connection was closed before the body was complete")
    # Formatted here, because structlog's renderers may show local variables such as headers.
    traceback = "".join(format_exception(error))
    _log.error("request failed", method=method, path=path, exception=traceback)
    return problem_answer(error)


def _refusal(error: HTTPException, method: str, path: str) -> Answer:
    match error.status_code:
        case 404:
            return plain_problem(404, f"no resource at {path}")
        case 405:
            allowed = allowed_methods((error.headers or {})["allow"].split(", "))
            answer = plain_problem(405, f"{path} does not support {method}; it supports {allowed}")
            answer.headers.append((b"allow", allowed.encode()))
            return answer
        case status:
            return plain_problem(status, error.detail)


def allowed_methods(routed: Iterable[str]) -> str:
    """Return the value of an Allow header: the routed methods, and HEAD if GET is one."""
    methods = set(routed)
    if "GET" in methods:
        methods.add("HEAD")
    return ", ".join(sorted(methods))


class ProblemResponse(Response[bytes]):
    """An answer as a Litestar response. It may have a header several times."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(content=answer.body, status_code=answer.status)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        headers = [(name.decode(), value.decode()) for name, value in self._answer.headers]
        return ASGIResponse(
            body=self._answer.body, headers=headers, status_code=self._answer.status
        )


def _handle(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    path = request.scope["path"]
    return ProblemResponse(failure_answer(error, request.method, path))


EXCEPTION_HANDLERS: ExceptionHandlersMap = {Exception: _handle}
