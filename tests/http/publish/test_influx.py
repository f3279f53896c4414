"""InfluxDB's line protocol over HTTP: each version's answers, and what clients ask first."""

from __future__ import annotations

import gzip
from base64 import b64encode
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogFull
from application.readiness import ReadinessReport
from tests.http.publish.conftest import LIMIT, Publishing

PATHS = {1: "/write", 2: "/api/v2/write", 3: "/api/v3/write_lp"}
NANOSECONDS = 1_500_000_000_000_000_000
GOOD = f"cpu,host=a value=1,idle=2i {NANOSECONDS}\n".encode()
MIXED = b'cpu value=1\nbad\nm s="x",f=2'

versions = pytest.mark.parametrize("version", [1, 2, 3])


def path_of(version: int, owner: str = "/organizations/gilt") -> str:
    return f"{owner}/influx{PATHS[version]}"


def message_of(answer: httpx.Response, version: int, code: str) -> str:
    """Return an error's message, after checking its form."""
    assert answer.headers["content-type"] == "application/json"
    said: dict[str, Any] = answer.json()
    if version == 2:
        assert set(said) == {"code", "message"}
        assert said["code"] == code
        return str(said["message"])
    assert set(said) - {"data"} == {"error"}
    return str(said["error"])


@versions
@pytest.mark.parametrize("media_type", ["text/plain; charset=utf-8", "application/json", ""])
def test_good_lines_are_one_event(publishing: Publishing, version: int, media_type: str) -> None:
    headers = {"Content_Type": media_type} if media_type else {}
    for path, team in (
        (path_of(version), None),
        (path_of(version, "/organizations/gilt/teams/web"), "web"),
        (PATHS[version], None),
    ):
        # Another key each time: the root is another path of the organization.
        headers["Idempotency_Key"] = path
        answer = publishing.post(f"{path}?db=any&bucket=any&org=any", GOOD, **headers)
        assert (answer.status_code, answer.content) == (204, b"")
        event = publishing.events()[-1]
        assert str(event.receipt) == answer.headers["cave-receipt"]
        assert event.event.team == team
        assert [(p.name, p.timestamp, p.value, p.tags) for p in event.event.points.points()] == [
            ("cpu", NANOSECONDS // 10**6, 1.0, {"host": "a"}),
            ("cpu_idle", NANOSECONDS // 10**6, 2.0, {"host": "a"}),
        ]


@versions
def test_at_the_root_the_token_says_whose_the_points_are(
    publishing: Publishing, version: int
) -> None:
    assert publishing.post(PATHS[version], GOOD, publishing.team_token).status_code == 204
    assert [each.event.team for each in publishing.events()] == ["web"]


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


@versions
def test_tokens_come_in_the_ways_of_each_client(publishing: Publishing, version: int) -> None:
    token = publishing.token
    for query, headers in (
        ("", {"Authorization": f"Token {token}"}),
        ("", {"Authorization": f"Bearer {token}"}),
        ("", {"Authorization": basic(token, "")}),
        ("", {"Authorization": basic("anyone", token)}),
        (f"?u=anyone&p={token}", {}),
        (f"?u={token}", {}),
    ):
        answer = publishing.post(path_of(version) + query, GOOD, None, **headers)
        assert answer.status_code == 204, (query, headers, answer.text)


@versions
def test_good_lines_are_stored_and_bad_ones_counted_and_named(
    publishing: Publishing, version: int
) -> None:
    labels = {"protocol": "influx", "reason": "unsupported"}
    before = REGISTRY.get_sample_value("cave_points_refused_total", labels) or 0.0
    answer = publishing.post(path_of(version), MIXED)
    assert answer.status_code == 400
    assert answer.headers["cave-receipt"]
    details = "missing fields", "field 's' is a string, and only numbers are stored"
    message = message_of(answer, version, "invalid")
    if version == 3:
        assert message == "partial write of line protocol occurred"
        assert answer.json()["data"] == [
            {"original_line": "bad", "line_number": 2, "error_message": details[0]},
            {"original_line": 'm s="x",f=2', "line_number": 3, "error_message": details[1]},
        ]
    else:
        assert message == (
            f"partial write: 2 of 4 points were refused: line 2: {details[0]}; line 3: {details[1]}"
        )
    assert [point.name for point in publishing.points()] == ["cpu", "m_f"]
    assert [(kept["place"], kept["reason"]) for kept in publishing.refused()] == [
        ("line 3", "unsupported"),
        ("line 2", "invalid_syntax"),
    ]
    assert REGISTRY.get_sample_value("cave_points_refused_total", labels) == before + 1


@versions
def test_a_body_without_good_lines_stores_nothing(publishing: Publishing, version: int) -> None:
    answer = publishing.post(path_of(version), b"bad\n" * 200)
    assert answer.status_code == 400
    assert "cave-receipt" not in answer.headers
    assert publishing.events() == []
    assert len(publishing.refused()) == 200
    assert len(answer.json().get("data", [])) == (100 if version == 3 else 0)


@versions
@pytest.mark.parametrize("body", [b"", b"\n", b"# only a comment"])
def test_a_body_without_lines_is_a_success(
    publishing: Publishing, version: int, body: bytes
) -> None:
    assert publishing.post(path_of(version), body).status_code == 204
    assert publishing.events() == []


@versions
def test_only_lines_with_times_are_stored_once_if_sent_again(
    publishing: Publishing, version: int
) -> None:
    timed = [publishing.post(path_of(version), GOOD) for _ in range(2)]
    assert timed[0].headers["cave-receipt"] == timed[1].headers["cave-receipt"]
    assert timed[1].headers["idempotent-replayed"] == "true"
    untimed = [publishing.post(path_of(version), b"cpu value=1") for _ in range(2)]
    assert untimed[0].headers["cave-receipt"] != untimed[1].headers["cave-receipt"]


@versions
def test_errors_have_the_versions_form(publishing: Publishing, version: int) -> None:
    path = path_of(version)
    unknown = path_of(version, "/organizations/nobody")
    for status, code, answer in (
        (400, "invalid", publishing.post(f"{path}?precision=x", GOOD)),
        (400, "invalid", publishing.post(path, b"x", Content_Encoding="gzip")),
        (401, "unauthorized", publishing.post(path, GOOD, None)),
        (403, "forbidden", publishing.post(path, GOOD, "wrong")),
        (404, "not found", publishing.post(unknown, GOOD)),
        (413, "request too large", publishing.post(path, b"#" * (LIMIT + 1))),
        (415, "invalid", publishing.post(path, GOOD, Content_Encoding="br")),
    ):
        assert answer.status_code == status, answer.text
        assert message_of(answer, version, code)
        assert "cave-receipt" not in answer.headers
        assert ("www-authenticate" in answer.headers) == (status == 401)
    assert publishing.events() == []


@versions
def test_a_full_log_is_a_503_with_retry_after(
    publishing: Publishing, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise LogFull("the log is full")

    monkeypatch.setattr(MemoryMetricLog, "append", fail)
    answer = publishing.post(path_of(version), GOOD)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert message_of(answer, version, "unavailable") == "the log is full"


def test_version_3_may_ask_for_all_or_nothing(publishing: Publishing) -> None:
    answer = publishing.post(f"{path_of(3)}?accept_partial=false", MIXED)
    assert answer.status_code == 400
    assert "line 2" in message_of(answer, 3, "invalid")
    assert publishing.events() == []


@pytest.mark.parametrize("parameter", ["accept_partial=maybe", "accept_partial=", "precision=d"])
@pytest.mark.parametrize("body", [b"", GOOD, GOOD * 100, MIXED])
def test_invalid_parameters_are_an_error_whatever_the_body_is(
    publishing: Publishing, parameter: str, body: bytes
) -> None:
    answer = publishing.post(f"{path_of(3)}?{parameter}", body)
    assert answer.status_code == 400
    assert parameter.partition("=")[0] in message_of(answer, 3, "invalid")
    assert publishing.events() == []


def test_bodies_may_be_compressed(publishing: Publishing) -> None:
    answer = publishing.post(path_of(2), gzip.compress(GOOD), Content_Encoding="gzip")
    assert answer.status_code == 204
    assert len(publishing.points()) == 2


OWNERS = ("", "/organizations/gilt/influx", "/organizations/gilt/teams/web/influx")


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ping_says_that_influxdb_is_there(publishing: Publishing, owner: str, method: str) -> None:
    answer = publishing.service.call(method, f"{owner}/ping")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["x-influxdb-version"]


@pytest.mark.parametrize("owner", OWNERS)
def test_health_passes_while_the_service_is_ready(publishing: Publishing, owner: str) -> None:
    answer = publishing.service.call("GET", f"{owner}/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "pass")
    publishing.service.readiness.answer = ReadinessReport(problems=("the log is gone",))
    answer = publishing.service.call("GET", f"{owner}/health")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert (answer.json()["status"], answer.json()["message"]) == ("fail", "the log is gone")


CREATE = 'CREATE DATABASE "telegraf"'


@pytest.mark.parametrize("owner", OWNERS)
def test_creating_a_database_succeeds(publishing: Publishing, owner: str) -> None:
    call, path, token = publishing.service.call, f"{owner}/query", publishing.token
    for answer in (
        call("GET", path, token, params={"q": CREATE}),
        call("POST", path, token, params={"q": f" {CREATE.lower()} WITH DURATION 1d; "}),
        call("POST", path, token, data={"q": CREATE, "db": "x"}),
        call("POST", path, data={"q": CREATE}, params={"u": "x", "p": token}),
    ):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"results": [{"statement_id": 0}]}


def test_other_queries_and_callers_are_refused_clearly(publishing: Publishing) -> None:
    call, token = publishing.service.call, publishing.token
    elsewhere = "/organizations/nobody/influx/query"
    several = f"{CREATE}; DROP DATABASE x"
    for status, answer in (
        (400, call("GET", "/query", token)),
        (400, call("GET", "/query", token, params={"q": "SELECT * FROM cpu"})),
        (400, call("GET", "/query", token, params={"q": several})),
        (401, call("GET", "/query", params={"q": CREATE})),
        (403, call("GET", "/query", "wrong", params={"q": CREATE})),
        (403, call("GET", "/query", publishing.admin, params={"q": CREATE})),
        (404, call("POST", elsewhere, token, params={"q": CREATE})),
        (413, call("POST", "/query", token, content=b"x" * 70_000)),
    ):
        assert answer.status_code == status, answer.text
        assert set(answer.json()) == {"error"}
        assert ("www-authenticate" in answer.headers) == (status == 401)
