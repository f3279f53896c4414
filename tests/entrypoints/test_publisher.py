"""Publishing patiently, against a service that answers as it is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from adapters.http_client import publisher as module
from adapters.http_client.publisher import BatchRefused, Publisher, PublishFailed
from tests.entrypoints.scripted_service import (
    ACCEPTED,
    REPLAYED,
    Said,
    ScriptedService,
    scripted_service,
)

BODY = b'{"metrics":[]}'


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted, not made."""
    made: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", made.append)
    return made


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as service:
        yield service


@pytest.fixture
def reasons() -> list[str]:
    return []


@pytest.fixture
def publisher(service: ScriptedService, reasons: list[str]) -> Iterator[Publisher]:
    with closing(Publisher(f"{service.url}/base/", "/metrics", "t0", reasons.append)) as publisher:
        yield publisher


def test_a_batch_is_sent_with_its_key_and_token(
    service: ScriptedService, publisher: Publisher
) -> None:
    service.script = [ACCEPTED, REPLAYED]
    assert not publisher.publish(BODY, "k1")
    assert publisher.publish(BODY, "k1")
    [first, second] = service.received
    assert first == second
    assert (first.path, first.key, first.authorization) == ("/base/metrics", "k1", "Bearer t0")


def test_what_may_pass_is_tried_again_with_the_same_key(
    service: ScriptedService, publisher: Publisher, pauses: list[float], reasons: list[str]
) -> None:
    service.script = [Said(503), Said(0), Said(429), Said(500)]
    assert not publisher.publish(BODY, "k1")
    assert [request.key for request in service.received] == ["k1"] * 5
    assert [reason.split(" ")[0] for reason in reasons] == ["503", service.url, "429", "500"]
    assert len(pauses) == 4


def test_a_pause_is_as_long_as_the_service_asks_for(
    service: ScriptedService, publisher: Publisher, pauses: list[float]
) -> None:
    service.script = [Said(503, {"Retry-After": "17"}), Said(429, {"Retry-After": "20"})]
    publisher.publish(BODY, "k1")
    assert pauses == [17.0, 20.0]


def test_a_wait_beyond_all_patience_is_not_begun(
    service: ScriptedService, publisher: Publisher, pauses: list[float]
) -> None:
    service.script = [Said(503, {"Retry-After": "3600"}, {"detail": "full until tomorrow"})]
    with pytest.raises(PublishFailed, match="503 full until tomorrow"):
        publisher.publish(BODY, "k1")
    assert pauses == []


@pytest.mark.parametrize("status", [301, 401, 403, 404, 413, 422])
def test_what_will_not_pass_is_not_tried_again(
    service: ScriptedService, publisher: Publisher, status: int
) -> None:
    service.script = [Said(status, {}, {"title": "No", "detail": "not this one"})]
    with pytest.raises(PublishFailed, match=f"{status} not this one"):
        publisher.publish(BODY, "k1")
    assert len(service.received) == 1


def test_a_refusal_names_the_items(service: ScriptedService, publisher: Publisher) -> None:
    errors = [
        {"index": 3, "pointer": "/metrics/3/name", "detail": "name must match"},
        {"pointer": "/metrics", "detail": "too many"},
    ]
    service.script = [Said(400, {}, {"detail": "2 fields break their rule", "errors": errors})]
    with pytest.raises(BatchRefused) as refused:
        publisher.publish(BODY, "k1")
    assert refused.value.faults == [(3, "name must match"), (None, "too many")]


def test_a_service_that_is_not_there_is_told(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.0)
    with scripted_service() as gone:
        url = gone.url
    with (
        closing(Publisher(url, "/metrics", "t0")) as publisher,
        pytest.raises(PublishFailed, match=f"{url} does not answer: .*refused"),
    ):
        publisher.publish(BODY, "k1")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:port"])
def test_what_is_no_url_of_a_service_is_told(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        Publisher(url, "/metrics", "t0")


def test_what_is_no_token_is_told() -> None:
    with pytest.raises(ValueError, match="not a token"):
        Publisher("http://a", "/metrics", "a\r\nb")
