"""The retrying client, against a service that answers from a script."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from email.message import Message

import pytest

from adapters.http_client.client import (
    PASSING,
    RetryingClient,
    ServiceUnreachable,
    basic,
    bearer,
    retry_after,
)
from adapters.http_client.publisher import HttpPublisher
from application.publishing.import_points import BatchNotStored, BatchRefused
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
    """Record pauses instead of making them."""
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
def client(service: ScriptedService, reasons: list[str]) -> Iterator[RetryingClient]:
    url = f"{service.url}/base/"
    with closing(RetryingClient(url, bearer("t0"), on_retry=reasons.append)) as client:
        yield client


@pytest.fixture
def publisher(client: RetryingClient) -> HttpPublisher:
    return HttpPublisher(client, "/metrics")


def test_a_batch_is_sent_with_its_key_and_token(
    service: ScriptedService, publisher: HttpPublisher
) -> None:
    service.script = [ACCEPTED, REPLAYED]
    assert not publisher.publish(BODY, "k1")
    assert publisher.publish(BODY, "k1")
    [first, second] = service.received
    assert first == second
    assert (first.path, first.key, first.authorization) == ("/base/metrics", "k1", "Bearer t0")


def test_a_batch_with_any_value_says_so(service: ScriptedService, publisher: HttpPublisher) -> None:
    publisher.publish(BODY, "k1", any_value=True)
    assert [request.path for request in service.received] == ["/base/metrics?values=any"]


def test_a_temporary_failure_is_retried_with_the_same_key(
    service: ScriptedService, publisher: HttpPublisher, pauses: list[float], reasons: list[str]
) -> None:
    service.script = [Said(503), Said(0), Said(429), Said(500)]
    assert not publisher.publish(BODY, "k1")
    assert [request.key for request in service.received] == ["k1"] * 5
    assert [reason.split(" ")[0] for reason in reasons] == ["503", service.url, "429", "500"]
    assert len(pauses) == 4


def test_a_pause_is_as_long_as_the_service_asks_for(
    service: ScriptedService, publisher: HttpPublisher, pauses: list[float]
) -> None:
    service.script = [Said(503, {"Retry-After": "17"}), Said(429, {"Retry-After": "20"})]
    publisher.publish(BODY, "k1")
    assert pauses == [17.0, 20.0]


def test_a_pause_longer_than_the_patience_is_not_made(
    service: ScriptedService, publisher: HttpPublisher, pauses: list[float]
) -> None:
    service.script = [Said(503, {"Retry-After": "3600"}, {"detail": "full until tomorrow"})]
    with pytest.raises(BatchNotStored, match="503 full until tomorrow"):
        publisher.publish(BODY, "k1")
    assert pauses == []


@pytest.mark.parametrize("status", [301, 401, 403, 404, 413, 422])
def test_a_permanent_failure_is_not_retried(
    service: ScriptedService, publisher: HttpPublisher, status: int
) -> None:
    service.script = [Said(status, {}, {"title": "No", "detail": "not this one"})]
    with pytest.raises(BatchNotStored, match=f"{status} not this one"):
        publisher.publish(BODY, "k1")
    assert len(service.received) == 1


def test_a_refusal_names_the_items(service: ScriptedService, publisher: HttpPublisher) -> None:
    errors = [
        {"index": 3, "pointer": "/metrics/3/name", "detail": "name must match"},
        {"pointer": "/metrics", "detail": "too many"},
    ]
    service.script = [Said(400, {}, {"detail": "2 fields are invalid", "errors": errors})]
    with pytest.raises(BatchRefused) as refused:
        publisher.publish(BODY, "k1")
    assert refused.value.faults == [(3, "name must match"), (None, "too many")]


@pytest.mark.parametrize("status", sorted(PASSING))
def test_once_patience_is_over_the_last_answer_is_returned(
    service: ScriptedService, pauses: list[float], status: int
) -> None:
    service.script = [Said(status, {}, {"detail": "no"})] * 2
    with closing(RetryingClient(service.url, bearer("t0"), patience=0.0)) as client:
        answer = client.publish("/metrics", BODY, "k1")
    assert (answer.status, answer.failure(), pauses) == (status, f"{status} no", [])


def test_a_query_is_retried_too(
    service: ScriptedService, client: RetryingClient, pauses: list[float]
) -> None:
    service.script = [Said(503, {"Retry-After": "1"}), Said(0), Said(200, {}, {"metrics": []})]
    answer = client.get("/metrics?metric=a")
    assert (answer.status, answer.body) == (200, b'{"metrics": []}')
    assert [request.path for request in service.received] == ["/base/metrics?metric=a"] * 3
    assert len(pauses) == 2


def test_other_statuses_are_retried_if_asked_for(
    service: ScriptedService, pauses: list[float]
) -> None:
    service.script = [Said(403), Said(403)]
    retried = PASSING | {403}
    with closing(RetryingClient(service.url, bearer("t0"), retried=retried)) as client:
        answer = client.publish("/metrics", BODY, "k1")
    assert (answer.status, answer.receipt, answer.replayed) == (202, "0-1-0", False)
    assert len(pauses) == 2


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(None, 0), ("17", 17), ("-1", 0), ("1.5", 0), ("\u0661", 0), ("\xb2", 0), ("1_0", 0)],
)
def test_a_pause_is_asked_for_in_whole_seconds(given: str | None, seconds: float) -> None:
    headers = Message()
    if given is not None:
        headers["Retry-After"] = given
    assert retry_after(headers) == seconds


def test_an_unreachable_service_is_named() -> None:
    with scripted_service() as gone:
        url = gone.url
    with closing(RetryingClient(url, bearer("t0"), patience=0.0)) as client:
        with pytest.raises(ServiceUnreachable, match=f"{url} does not answer: .*refused"):
            client.get("/metrics")
        with pytest.raises(BatchNotStored, match=f"{url} does not answer: .*refused"):
            HttpPublisher(client, "/metrics").publish(BODY, "k1")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:port"])
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        RetryingClient(url, bearer("t0"))


def test_an_invalid_token_is_refused() -> None:
    with pytest.raises(ValueError, match="not a token"):
        RetryingClient("http://a", bearer("a\r\nb"))


def test_a_token_can_be_sent_by_either_scheme() -> None:
    assert (basic("t0"), bearer("t0")) == ("Basic dDA6", "Bearer t0")
