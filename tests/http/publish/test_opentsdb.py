"""OpenTSDB's JSON over HTTP: answers are the protocol's own."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogFull
from tests.http.publish.conftest import LIMIT, Publishing

PATH, ROOT = "/organizations/gilt/opentsdb/api/put", "/api/put"
TEAM_PATH = "/organizations/gilt/teams/web/opentsdb/api/put"
GOOD = {"metric": "sys.cpu", "timestamp": 1_500_000_000, "value": "1.5", "tags": {"host": "a"}}
BAD = {**GOOD, "value": "x"}
BAD_DETAIL = "/1: the value must be a number, is 'x'"


def body(*items: object) -> bytes:
    return json.dumps(items).encode()


def error_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == status
    assert error["message"]
    return error


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", ""])
def test_good_points_are_one_event(publishing: Publishing, media_type: str) -> None:
    headers = {"Content_Type": media_type} if media_type else {}
    for path, team in ((PATH, None), (TEAM_PATH, "web"), (ROOT, None)):
        # Another key each time: the root is another path of the organization.
        answer = publishing.post(path, body(GOOD), Idempotency_Key=path, **headers)
        assert (answer.status_code, answer.content) == (204, b"")
        event = publishing.events()[-1]
        assert str(event.receipt) == answer.headers["cave-receipt"]
        assert event.event.team == team
        assert [(p.name, p.timestamp, p.value, p.tags) for p in event.event.points.points()] == [
            ("sys.cpu", 1_500_000_000_000, 1.5, {"host": "a"})
        ]


def test_good_points_are_stored_and_bad_ones_named(publishing: Publishing) -> None:
    answer = publishing.post(PATH, body(GOOD, BAD))
    error = error_of(answer, 400)
    assert error["message"] == "1 of 2 data points had errors; the others are stored"
    assert error["details"] == BAD_DETAIL
    assert answer.headers["cave-receipt"]
    assert len(publishing.points()) == 1
    assert [(kept["place"], kept["protocol"]) for kept in publishing.refused()] == [
        ("/1", "opentsdb")
    ]


@pytest.mark.parametrize("query", ["?summary", "?summary=true", "?details", "?details&summary"])
def test_asked_for_them_the_answer_has_the_numbers(publishing: Publishing, query: str) -> None:
    detailed = "details" in query
    answer = publishing.post(f"{PATH}{query}", body(GOOD))
    none: dict[str, object] = {"errors": []} if detailed else {}
    assert (answer.status_code, answer.json()) == (200, {"success": 1, "failed": 0, **none})
    assert answer.headers["cave-receipt"]
    answer = publishing.post(f"{PATH}{query}", body({**GOOD, "value": 2}, BAD))
    found = {"errors": [{"datapoint": BAD, "error": BAD_DETAIL}]} if detailed else {}
    assert (answer.status_code, answer.json()) == (400, {"success": 1, "failed": 1, **found})


def test_details_repeat_what_can_be_repeated(publishing: Publishing) -> None:
    odd = b'[{"metric":"a","value":NaN},{"metric":"%b"},{"metric":"\\ud800"}]' % (b"a" * 1000)
    errors = publishing.post(f"{PATH}?details", odd).json()["errors"]
    assert [error["datapoint"] for error in errors] == [
        '{"metric":"a","value":NaN}',
        None,
        '{"metric":"\\ud800"}',
    ]


def test_an_empty_array_is_a_success(publishing: Publishing) -> None:
    assert publishing.post(PATH, b"[]").status_code == 204
    assert publishing.events() == []


def test_a_body_sent_again_is_stored_once(publishing: Publishing) -> None:
    answers = [publishing.post(PATH, body(GOOD)) for _ in range(2)]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(publishing.events()) == 1


def test_errors_have_the_protocols_form(publishing: Publishing) -> None:
    for status, answer in (
        (400, publishing.post(PATH, b"[")),
        (400, publishing.post(f"{PATH}?details", b"[")),
        (401, publishing.post(PATH, body(GOOD), None)),
        (403, publishing.post(PATH, body(GOOD), "wrong")),
        (404, publishing.post("/organizations/nobody/opentsdb/api/put", body(GOOD))),
        (413, publishing.post(PATH, b" " * (LIMIT + 1))),
        (415, publishing.post(PATH, body(GOOD), Content_Encoding="br")),
    ):
        error_of(answer, status)
        assert ("www-authenticate" in answer.headers) == (status == 401)
    assert publishing.events() == []


def test_a_full_log_is_a_503_with_retry_after(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise LogFull("the log is full")

    monkeypatch.setattr(MemoryMetricLog, "append", fail)
    answer = publishing.post(PATH, body(GOOD))
    assert error_of(answer, 503)["message"] == "the log is full"
    assert answer.headers["retry-after"] == "1"
