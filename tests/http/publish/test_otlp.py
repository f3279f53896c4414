"""OTLP over HTTP: answers are the protocol's own, in the media type of the request."""

from __future__ import annotations

import gzip
from typing import Any

import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from prometheus_client import REGISTRY

from adapters.http.publish.answers.otlp import _Status
from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogFull, OutcomeUnknown
from application.use_cases import Limits
from tests.http.publish.conftest import Publishing
from tests.point_formats.otlp.requests import SECOND, attribute, json_body, number, request

PATH = "/organizations/gilt/otlp/v1/metrics"
TEAM_PATH = "/organizations/gilt/teams/web/otlp/v1/metrics"
ROOT = "/v1/metrics"
PROTOBUF, JSON = "application/x-protobuf", "application/json"

both = pytest.mark.parametrize("media_type", [PROTOBUF, JSON])


def gauge(*points: Any, name: str = "up") -> Metric:
    return Metric(name=name, gauge=Gauge(data_points=points))


def body(media_type: str, *points: Any) -> bytes:
    sent = request(gauge(*points), service__name="checkout")
    return sent.SerializeToString() if media_type == PROTOBUF else json_body(sent)


def post(
    publishing: Publishing, media_type: str, *points: Any, path: str = PATH, **more: Any
) -> httpx.Response:
    content = more.pop("content", None)
    sent = body(media_type, *points) if content is None else content
    answer: httpx.Response = publishing.post(path, sent, Content_Type=media_type, **more)
    assert answer.headers["content-type"] == media_type
    return answer


def response_of(answer: httpx.Response) -> Any:
    """Return an answer's message, which says what was stored."""
    assert answer.status_code == 200, answer.content
    message = ExportMetricsServiceResponse()
    if answer.headers["content-type"] == PROTOBUF:
        message.ParseFromString(answer.content)
    else:
        json_format.Parse(answer.content, message)
    return message


def status_of(answer: httpx.Response, status: int) -> Any:
    """Return an error's `google.rpc.Status`."""
    assert answer.status_code == status, answer.content
    assert "cave-receipt" not in answer.headers
    message = _Status()
    if answer.headers["content-type"] == PROTOBUF:
        message.ParseFromString(answer.content)
    else:
        json_format.Parse(answer.content, message)
    assert message.message
    return message


@both
@pytest.mark.parametrize("path", [PATH, TEAM_PATH, ROOT])
def test_a_good_request_is_one_event(publishing: Publishing, media_type: str, path: str) -> None:
    first, second = number(attributes=[attribute("host", "a")]), number(as_int=3)
    answer = post(publishing, media_type, first, second, path=path)
    assert not response_of(answer).HasField("partial_success")
    assert answer.content == (b"" if media_type == PROTOBUF else b"{}")
    [event] = publishing.events()
    assert str(event.receipt) == answer.headers["cave-receipt"]
    assert event.event.team == ("web" if path == TEAM_PATH else None)
    assert [(p.name, p.timestamp, p.value, p.tags) for p in event.event.points.points()] == [
        ("up", SECOND * 1000, 1.5, {"service.name": "checkout", "host": "a"}),
        ("up", SECOND * 1000, 3.0, {"service.name": "checkout"}),
    ]


def test_at_the_root_the_token_says_whose_points_they_are(publishing: Publishing) -> None:
    post(publishing, PROTOBUF, number(), path=ROOT, token=publishing.team_token)
    assert [each.event.team for each in publishing.events()] == ["web"]


@both
def test_good_points_are_stored_and_bad_ones_counted_and_named(
    publishing: Publishing, media_type: str
) -> None:
    labels = {"protocol": "otlp", "reason": "invalid_time"}
    before = REGISTRY.get_sample_value("cave_points_refused_total", labels) or 0.0
    answer = post(publishing, media_type, number(), number(time_unix_nano=0))
    partial = response_of(answer).partial_success
    place = "/resourceMetrics/0/scopeMetrics/0/metrics/0/gauge/dataPoints/1"
    assert partial.rejected_data_points == 1
    assert partial.error_message == (
        f"1 data points were refused. {place}: timeUnixNano is missing"
    )
    assert answer.headers["cave-receipt"]
    assert len(publishing.points()) == 1
    assert [(each["place"], each["protocol"]) for each in publishing.refused()] == [(place, "otlp")]
    assert REGISTRY.get_sample_value("cave_points_refused_total", labels) == before + 1


@both
def test_a_request_without_good_points_is_a_partial_success_too(
    publishing: Publishing, media_type: str
) -> None:
    answer = post(publishing, media_type, *[number(time_unix_nano=0)] * 7)
    partial = response_of(answer).partial_success
    assert partial.rejected_data_points == 7
    assert partial.error_message.count("timeUnixNano") == 5
    assert partial.error_message.endswith("; …")
    assert publishing.points() == []


@both
def test_an_empty_request_is_a_success(publishing: Publishing, media_type: str) -> None:
    answer = post(publishing, media_type, content=b"" if media_type == PROTOBUF else b"{}")
    assert not response_of(answer).HasField("partial_success")
    assert publishing.events() == []


@both
def test_a_request_sent_again_is_stored_once(publishing: Publishing, media_type: str) -> None:
    answers = [post(publishing, media_type, number(), number(time_unix_nano=0)) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert answers[0].headers["cave-receipt"] == answers[1].headers["cave-receipt"]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(publishing.events()) == len(publishing.refused()) == 1


@both
def test_bodies_may_be_compressed(publishing: Publishing, media_type: str) -> None:
    packed = gzip.compress(body(media_type, number()))
    response_of(post(publishing, media_type, content=packed, Content_Encoding="gzip"))
    assert len(publishing.points()) == 1


def test_without_a_media_type_a_body_is_protobuf(publishing: Publishing) -> None:
    answer = publishing.post(PATH, body(PROTOBUF, number()))
    assert answer.headers["content-type"] == PROTOBUF
    assert len(publishing.points()) == 1


@both
def test_errors_are_a_status_in_the_media_type_of_the_request(
    publishing: Publishing, media_type: str
) -> None:
    def error(status: int, **more: Any) -> Any:
        answer = post(publishing, media_type, number(), **more)
        return status_of(answer, status), answer

    assert error(400, content=b"\xff")[0].code == 3
    assert error(400, content=b"x", Content_Encoding="gzip")[0].code == 3
    unauthorized, answer = error(401, token=None)
    assert unauthorized.code == 16
    assert answer.headers.get_list("www-authenticate")
    assert error(403, token="cave_wrong")[0].code == 7
    assert error(401, token=None, path=ROOT)[0].code == 16
    assert error(404, path=PATH.replace("gilt", "nobody"))[0].code == 5
    assert error(413, content=b"\0" * (1 << 21))[0].code == 8
    assert error(415, Content_Encoding="br")[0].code == 3
    assert publishing.events() == []


@both
def test_too_many_points_are_a_413(publishing: Publishing, media_type: str) -> None:
    many = [NumberDataPoint()] * (Limits().max_points + 1)
    assert "points" in status_of(post(publishing, media_type, *many), 413).message


def test_an_error_of_the_media_type_is_in_json(publishing: Publishing) -> None:
    answer = publishing.post(PATH, body(PROTOBUF, number()), Content_Type="text/plain")
    assert answer.headers["content-type"] == JSON
    assert "application/x-protobuf or application/json" in status_of(answer, 415).message


@both
@pytest.mark.parametrize("failure", [LogFull, OutcomeUnknown])
def test_what_a_retry_may_mend_says_when_to_retry(
    publishing: Publishing,
    monkeypatch: pytest.MonkeyPatch,
    media_type: str,
    failure: type[Exception],
) -> None:
    async def fail(*_: Any) -> None:
        raise failure("the log is full")

    monkeypatch.setattr(MemoryMetricLog, "append", fail)
    answer = post(publishing, media_type, number())
    assert status_of(answer, 503).code == 14
    assert answer.headers["retry-after"]


def test_other_spellings_of_the_paths_are_routed(publishing: Publishing) -> None:
    for path in (PATH, TEAM_PATH, ROOT):
        response_of(post(publishing, PROTOBUF, number(), path=f"{path}/"))
        assert publishing.service.call("GET", path).status_code == 405
