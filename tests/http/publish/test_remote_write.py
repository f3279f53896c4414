"""Remote write over HTTP: answers are as each version of the specification says."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from typing import Any

import cramjam
import httpx
import pytest
from prometheus_client import REGISTRY

from adapters.memory.metric_log import MemoryMetricLog
from application.errors import LogFull, OutcomeUnknown
from application.use_cases import Limits
from domain.errors import QuotaExceeded
from tests.http.publish.conftest import Publishing
from tests.point_formats.remote_write.requests import (
    TIME,
    histogram,
    metadata_1,
    named,
    request_1,
    request_2,
    sample,
    series_1,
    series_2,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PATH = "/organizations/gilt/prometheus/api/v1/write"
TEAM_PATH = "/organizations/gilt/teams/web/prometheus/api/v1/write"
ROOT = "/api/v1/write"
MEDIA_TYPES = {
    1: "application/x-protobuf",
    2: "application/x-protobuf;proto=io.prometheus.write.v2.Request",
}
UP = named("up", job="node")
BAD = named("")

both = pytest.mark.parametrize("version", [1, 2])


def packed(content: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(content))


def body(version: int, *series: tuple[Any, list[bytes]]) -> bytes:
    if version == 1:
        return request_1(*(series_1(labels, *samples) for labels, samples in series))
    return request_2(*(series_2(labels, *samples) for labels, samples in series))


def post(
    publishing: Publishing, version: int, sent: bytes | None = None, **more: Any
) -> httpx.Response:
    """Publish a request, compressed unless the `content` is given."""
    options = {
        "path": PATH,
        "content": packed(body(version, (UP, [sample()])) if sent is None else sent),
        "Content_Type": MEDIA_TYPES[version],
        "Content_Encoding": "snappy",
        **more,
    }
    answer: httpx.Response = publishing.post(**options)
    return answer


def written(answer: httpx.Response) -> dict[str, str]:
    """Return the headers with numbers, by what they are of."""
    begin, end = "x-prometheus-remote-write-", "-written"
    return {
        name.removeprefix(begin).removesuffix(end): value
        for name, value in answer.headers.items()
        if name.startswith(begin)
    }


def counts(version: int, samples: int, histograms: int = 0) -> dict[str, str]:
    """Return the headers that version 2 has with every answer, and version 1 with none."""
    if version == 1:
        return {}
    return {"samples": str(samples), "histograms": str(histograms), "exemplars": "0"}


@both
@pytest.mark.parametrize("path", [PATH, TEAM_PATH, ROOT])
def test_a_good_request_is_one_event(publishing: Publishing, version: int, path: str) -> None:
    content = body(version, (UP, [sample(1.0), sample(2.0)]), (named("down"), [sample()]))
    answer = post(publishing, version, content, path=path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert written(answer) == counts(version, 3)
    [event] = publishing.events()
    assert str(event.receipt) == answer.headers["cave-receipt"]
    assert event.event.team == ("web" if path == TEAM_PATH else None)
    assert [(p.name, p.timestamp, p.value, p.tags) for p in event.event.points.points()] == [
        ("up", TIME, 1.0, {"job": "node"}),
        ("up", TIME, 2.0, {"job": "node"}),
        ("down", TIME, 1.5, {}),
    ]


def test_at_the_root_the_token_says_whose_points_they_are(publishing: Publishing) -> None:
    assert post(publishing, 1, path=ROOT, token=publishing.team_token).status_code == 204
    assert [each.event.team for each in publishing.events()] == ["web"]


@both
def test_good_points_are_stored_and_bad_ones_counted_and_named(
    publishing: Publishing, version: int
) -> None:
    labels = {"protocol": "remote_write", "reason": "invalid_name"}
    before = REGISTRY.get_sample_value("cave_points_refused_total", labels) or 0.0
    answer = post(publishing, version, body(version, (UP, [sample()]), (BAD, [sample()] * 2)))
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == (
        "2 of 3 points were refused: series 2: the label __name__ is missing or empty"
    )
    assert written(answer) == counts(version, 1)
    assert answer.headers["cave-receipt"]
    assert [point.name for point in publishing.points()] == ["up"]
    [kept] = publishing.refused()
    assert (kept["place"], kept["protocol"]) == ("series 2", "remote_write")
    assert REGISTRY.get_sample_value("cave_points_refused_total", labels) == before + 2


@both
def test_a_request_without_good_points_stores_nothing(publishing: Publishing, version: int) -> None:
    answer = post(publishing, version, body(version, *[(BAD, [sample()])] * 7))
    assert answer.status_code == 400
    assert answer.text.startswith("7 of 7 points were refused: ")
    assert answer.text.count("series ") == 5
    assert answer.text.endswith("; …")
    assert written(answer) == counts(version, 0)
    assert "cave-receipt" not in answer.headers
    assert publishing.events() == []


def test_histograms_are_counted_as_such(publishing: Publishing) -> None:
    sent = request_2(series_2(UP, histograms=[histogram(), histogram(-10)]))
    answer = post(publishing, 2, sent)
    assert answer.status_code == 400
    assert written(answer) == counts(2, 0, 1)


def test_exemplars_make_a_400_in_version_2_only(publishing: Publishing) -> None:
    first = post(publishing, 1, request_1(series_1(UP, sample(), exemplars=1)))
    second = post(publishing, 2, request_2(series_2(UP, sample(), exemplars=1)))
    assert (first.status_code, second.status_code) == (204, 400)
    assert "1 of 2 points were refused: series 1: exemplars are not stored" in second.text
    assert written(second) == counts(2, 1)
    assert len(publishing.points()) == 2


@pytest.mark.parametrize("content", [b"", request_1(metadata=[metadata_1(1, "up", "Help.")])])
def test_a_request_without_points_is_a_success(publishing: Publishing, content: bytes) -> None:
    assert post(publishing, 1, content).status_code == 204
    assert publishing.events() == []


def test_an_empty_request_of_version_2_is_a_success(publishing: Publishing) -> None:
    answer = post(publishing, 2, b"")
    assert (answer.status_code, written(answer)) == (204, counts(2, 0))


@both
def test_a_request_sent_again_is_stored_once(publishing: Publishing, version: int) -> None:
    content = body(version, (UP, [sample()]), (BAD, [sample()]))
    answers = [post(publishing, version, content) for _ in range(2)]
    assert answers[0].status_code == answers[1].status_code == 400
    assert answers[0].text == answers[1].text
    assert written(answers[0]) == written(answers[1]) == counts(version, 1)
    assert answers[0].headers["cave-receipt"] == answers[1].headers["cave-receipt"]
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(publishing.events()) == len(publishing.refused()) == 1


@pytest.mark.parametrize(
    ("media_type", "version"),
    [
        (None, 1),
        ("application/x-protobuf", 1),
        ("Application/X-Protobuf; proto=prometheus.WriteRequest", 1),
        ('application/x-protobuf; proto="io.prometheus.write.v2.Request"', 2),
        ("application/x-protobuf;PROTO=IO.Prometheus.Write.V2.request", 2),
    ],
)
def test_the_media_type_tells_the_version(
    publishing: Publishing, media_type: str | None, version: int
) -> None:
    content = packed(body(version, (UP, [sample()])))
    headers = {} if media_type is None else {"Content_Type": media_type}
    answer = publishing.post(PATH, content, **headers)
    assert (answer.status_code, written(answer)) == (204, counts(version, 1))
    assert len(publishing.points()) == 1


@pytest.mark.parametrize("coding", ["snappy", None, "zstd", "gzip"])
def test_bodies_are_compressed_with_snappy_unless_they_say_otherwise(
    publishing: Publishing, coding: str | None
) -> None:
    content = body(1, (UP, [sample()]))
    compress: dict[str | None, Callable[[bytes], bytes]] = {
        "zstd": zstd.compress,
        "gzip": gzip.compress,
    }
    sent = compress.get(coding, packed)(content)
    headers = {} if coding is None else {"Content_Encoding": coding}
    assert publishing.post(PATH, sent, **headers).status_code == 204
    assert len(publishing.points()) == 1


@both
def test_errors_are_plain_text(publishing: Publishing, version: int) -> None:
    def error(status: int, sent: bytes | None = None, **more: Any) -> httpx.Response:
        answer = post(publishing, version, sent, **more)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text
        assert written(answer) == counts(version, 0)
        assert "cave-receipt" not in answer.headers
        return answer

    assert "not a" in error(400, b"\xff").text
    assert "snappy" in error(400, content=b"\xff").text
    assert error(401, token=None).headers.get_list("www-authenticate")
    error(401, token=None, path=ROOT)
    error(403, token="cave_wrong")
    error(404, path=PATH.replace("gilt", "nobody"))
    error(413, b"\0" * (1 << 21))
    error(413, body(version, (UP, [sample()] * (Limits().max_points + 1))))
    error(415, Content_Encoding="br")
    assert publishing.events() == []


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-protobuf;proto=other.Request"])
def test_another_media_type_or_message_is_a_415(publishing: Publishing, media_type: str) -> None:
    answer = post(publishing, 1, Content_Type=media_type)
    assert answer.status_code == 415
    assert "proto=io.prometheus.write.v2.Request" in answer.text


@both
@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (LogFull("the log is full"), 503),
        (OutcomeUnknown("who knows"), 503),
        (QuotaExceeded("too many points", retry_after=7), 429),
    ],
)
def test_what_a_retry_may_mend_says_when_to_retry(
    publishing: Publishing,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    failure: Exception,
    status: int,
) -> None:
    async def fail(*_: Any) -> None:
        raise failure

    monkeypatch.setattr(MemoryMetricLog, "append", fail)
    answer = post(publishing, version)
    assert answer.status_code == status
    assert answer.headers["retry-after"]
    assert written(answer) == counts(version, 0)


def test_other_spellings_of_the_paths_are_routed(publishing: Publishing) -> None:
    for path in (PATH, TEAM_PATH, ROOT):
        assert post(publishing, 1, path=f"{path}/").status_code == 204
        assert publishing.service.call("GET", path).status_code == 405
