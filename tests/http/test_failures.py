"""Errors and defects: what the client sees, what is logged, and what neither may contain."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

import pytest
from litestar.exceptions import HTTPException
from structlog.testing import capture_logs

from adapters.http import errors as http
from adapters.http.failures import failure_answer
from adapters.http.problems import STATUS_OF, TYPE_OF, problem_answer
from application import errors as application
from application.event_log.receipts import Receipt
from application.organizations.look_ups import LookUps
from application.projections import errors as projections
from domain import errors as domain
from tests.http.conftest import Service, problem_of

BASES = {
    domain.DomainError,
    application.LogError,
    projections.ProjectionError,
    http.RequestError,
}
WRITERS_ONLY = {
    projections.RowsRefused,
    projections.ProjectionBusy,
    projections.ProjectionDiverged,
    application.ArchiveConflict,
}
"""Raised only when projections or the archive are written, never when they are read."""


def error_classes(module: ModuleType) -> list[type[Exception]]:
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and kind.__module__ == module.__name__ and kind not in BASES
    ]


ERRORS = [
    kind
    for module in (domain, application, projections, http)
    for kind in error_classes(module)
    if kind not in WRITERS_ONLY
]


def instance(kind: type[Exception]) -> Exception:
    fault = domain.Fault(3, "/metrics/3/name", "name is wrong")
    if kind is domain.InvalidMetrics:
        return domain.InvalidMetrics((fault,))
    if kind is http.InvalidBody:
        return http.InvalidBody(fault)
    if kind is http.InvalidParameters:
        return http.InvalidParameters([http.ParameterFault("limit", "is wrong")])
    if kind is domain.InvalidArgument:
        return domain.InvalidArgument("is wrong", "name")
    if kind is application.LogGap:
        return application.LogGap(Receipt(3, 5, 0), Receipt(3, 9, 1), 4)
    if kind is domain.QuotaExceeded:
        return domain.QuotaExceeded("over", retry_after=7)
    if kind is domain.SeriesLimitExceeded:
        return domain.SeriesLimitExceeded("full", retry_after=7)
    if kind is application.IdempotencyFull:
        return application.IdempotencyFull(1000)
    return kind("said to a person")


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_is_in_the_table(kind: type[Exception]) -> None:
    answer = problem_answer(instance(kind))
    assert answer.status == STATUS_OF[kind] != 500
    names = [name for name, _ in answer.headers]
    assert (b"retry-after" in names) == (answer.status in (429, 503))
    assert names.count(b"www-authenticate") == (2 if answer.status == 401 else 0)


def test_the_table_has_no_other_classes() -> None:
    assert set(STATUS_OF) == set(ERRORS)
    assert len(set(TYPE_OF.values())) == len(TYPE_OF)


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_class_is_answered_wherever_it_is_raised(
    service: Service, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    token = service.register("gilt")

    def fail(*_: object) -> None:
        raise instance(kind)

    monkeypatch.setattr(LookUps, "organization", fail)
    with capture_logs() as logs:
        response = service.call("GET", "/organizations/gilt", token)
    problem_of(response, STATUS_OF[kind], TYPE_OF[kind].rpartition(":")[2])
    assert logs == []


@pytest.fixture
def broken(service: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """A service whose look-ups fail unexpectedly."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("internal words")

    monkeypatch.setattr(LookUps, "organization", fail)
    return service


def test_a_defect_is_a_500_that_shows_no_internals(broken: Service) -> None:
    token = broken.register("gilt")
    with capture_logs() as logs:
        response = broken.call("GET", "/organizations/gilt?secret=1", token)
    problem_of(response, 500)
    for internal in ("internal words", "ZeroDivision", "Traceback", ".py"):
        assert internal not in response.text
    (entry,) = logs
    assert "ZeroDivisionError: internal words" in entry.pop("exception")
    assert entry == {
        "event": "request failed",
        "log_level": "error",
        "method": "GET",
        "path": "/organizations/gilt",
    }


def test_the_log_has_the_traceback_and_no_secret(
    broken: Service, capfd: pytest.CaptureFixture[str]
) -> None:
    """Also with structlog's default renderer, which shows a traceback's local variables."""
    token = broken.register("gilt")
    headers = {"Cookie": "a-cookie"}
    broken.call("GET", "/organizations/gilt?q=a-query", token, headers=headers)
    logged = "".join(capfd.readouterr())
    assert "Traceback" in logged
    assert "ZeroDivisionError: internal words" in logged
    for secret in (token, "Bearer", "a-cookie", "a-query"):
        assert secret not in logged


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_tokens_are_never_logged_for_accepted_or_refused_requests(
    service: Service, method: str, capfd: pytest.CaptureFixture[str]
) -> None:
    admin = service.register("gilt")
    service.call(method, "/organizations/gilt/tokens", admin, json={})
    service.call(method, "/organizations/gilt/tokens", admin[:-1], json={})
    assert "cave_" not in "".join(capfd.readouterr())


def test_only_errors_of_the_framework_below_500_keep_their_detail() -> None:
    def answer(error: Any) -> tuple[int, bytes]:
        found = failure_answer(error, "GET", "/x")
        return found.status, found.body

    status, body = answer(HTTPException(status_code=418, detail="short and stout"))
    assert status == 418
    assert b"short and stout" in body
    with capture_logs() as logs:
        status, body = answer(HTTPException(status_code=502, detail="internal words"))
    assert status == 500
    assert b"internal words" not in body
    assert len(logs) == 1
