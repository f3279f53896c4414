"""KairosDB's JSON over HTTP: answers are the protocol's own."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogFull
from tests.http.publish.conftest import LIMIT, Publishing

PATH, ROOT = "/organizations/gilt/kairosdb/api/v1/datapoints", "/api/v1/datapoints"
TEAM_PATH = "/organizations/gilt/teams/web/kairosdb/api/v1/datapoints"
TIME = 1_500_000_000_123
GOOD = {"name": "cpu", "timestamp": TIME, "value": 1.5, "tags": {"host": "a"}}
BAD = {**GOOD, "type": "string", "value": "x"}


def body(*items: object) -> bytes:
    return json.dumps(items).encode()


def errors_of(answer: httpx.Response, status: int) -> list[str]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    errors: list[str] = answer.json()["errors"]
    assert set(answer.json()) == {"errors"}
    return errors


def test_good_points_are_one_event(publishing: Publishing) -> None:
    for path, team in ((PATH, None), (TEAM_PATH, "web"), (ROOT, None)):
        # Another key each time: the root is another path of the organization.
        headers = {"Content_Type": "application/json", "Idempotency_Key": path}
        answer = publishing.post(path, body(GOOD), **headers)
        assert (answer.status_code, answer.content) == (204, b"")
        event = publishing.events()[-1]
        assert str(event.receipt) == answer.headers["cave-receipt"]
        assert event.event.team == team
        assert [(p.name, p.timestamp, p.value, p.tags) for p in event.event.points.points()] == [
            ("cpu", TIME, 1.5, {"host": "a"})
        ]


def test_good_points_are_stored_and_bad_ones_named(publishing: Publishing) -> None:
    answer = publishing.post(PATH, body(GOOD, BAD, {**GOOD, "datapoints": [[TIME, None]]}))
    assert errors_of(answer, 400) == [
        "/1: the value is a string, and only numbers are stored",
        "/2/datapoints/0: the value must be a finite number, is missing",
    ]
    assert answer.headers["cave-receipt"]
    assert len(publishing.points()) == 2
    assert {kept["protocol"] for kept in publishing.refused()} == {"kairosdb"}


def test_an_answer_lists_the_first_hundred(publishing: Publishing) -> None:
    assert len(errors_of(publishing.post(PATH, body(*[BAD] * 150)), 400)) == 100
    assert len(publishing.refused()) == 150


@pytest.mark.parametrize("media_type", ["application/gzip", "Application/GZIP; x=y"])
def test_a_media_type_may_say_that_the_body_is_compressed(
    publishing: Publishing, media_type: str
) -> None:
    packed = gzip.compress(body(GOOD))
    assert publishing.post(PATH, packed, Content_Type=media_type).status_code == 204
    both = {"Content_Type": media_type, "Content_Encoding": "gzip"}
    assert publishing.post(PATH, packed, **both).headers["idempotent-replayed"] == "true"
    assert len(publishing.points()) == 1
    errors_of(publishing.post(PATH, body(GOOD), Content_Type=media_type), 400)


def test_a_body_sent_again_is_stored_once(publishing: Publishing) -> None:
    answers = [publishing.post(PATH, body(GOOD)) for _ in range(2)]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(publishing.events()) == 1


def test_errors_have_the_protocols_form(publishing: Publishing) -> None:
    nobody = "/organizations/nobody/kairosdb/api/v1/datapoints"
    for status, answer in (
        (400, publishing.post(PATH, b"[")),
        (401, publishing.post(PATH, body(GOOD), None)),
        (403, publishing.post(PATH, body(GOOD), "wrong")),
        (404, publishing.post(nobody, body(GOOD))),
        (413, publishing.post(PATH, b" " * (LIMIT + 1))),
        (415, publishing.post(PATH, body(GOOD), Content_Encoding="br")),
    ):
        assert len(errors_of(answer, status)) == 1
    assert publishing.events() == []


def test_a_request_without_credentials_is_challenged_for_basic(publishing: Publishing) -> None:
    """collectd's first request has none: curl repeats it once it knows the scheme."""
    answer = publishing.post(PATH, body(GOOD), None)
    assert answer.status_code == 401
    assert 'Basic realm="CAVE"' in answer.headers.get_list("www-authenticate")
    assert publishing.events() == []


def test_a_full_log_is_a_503_with_retry_after(
    publishing: Publishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise LogFull("the log is full")

    monkeypatch.setattr(MemoryMetricLog, "append", fail)
    answer = publishing.post(PATH, body(GOOD))
    assert errors_of(answer, 503) == ["the log is full"]
    assert answer.headers["retry-after"] == "1"


def test_any_media_type_is_taken_for_json(publishing: Publishing) -> None:
    """As KairosDB does; curl calls a body a form by default."""
    form = "application/x-www-form-urlencoded"
    assert publishing.post(PATH, body(GOOD), Content_Type=form).status_code == 204
    assert len(publishing.points()) == 1
