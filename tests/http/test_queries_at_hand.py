"""Queries answered the short way. `Service.call` compares the answers with those of the route."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client import REGISTRY

from adapters.http.heads import MAX_HEAD
from tests.http.conftest import Service
from tests.http.test_queries import METRICS, T, point, publish

WEB = "/organizations/gilt/teams/web/metrics"


@pytest.fixture
def token(service: Service) -> str:
    token = service.register("gilt", "read")
    service.create_team("gilt", "web")
    publish(service, point(1, T), point(2.5, T + 1, host="a"), point(3, T + 60_000, host="b"))
    publish(service, point(4, T + 5), team="web", position=2)
    service.follower.catch_up()
    return token


def answer(service: Service, token: str, target: str, *lines: str, method: str = "GET") -> Any:
    head = [f"{method} {target} HTTP/1.1", "Host: cave", f"Authorization: Bearer {token}", *lines]
    return service.queries_at_hand.answer("\r\n".join(head).encode("latin-1"))


ACCEPTED = (
    "metric=orders",
    "metric=orders&tags=host:a",
    "metric=orders&tags=host%3Aa&limit=1&start=0&end=2014-10-25T00:00:00Z",
    "metric=orders&aggregator=p99&period=1m",
    "metric=orders&start=2014-10-24+12:37:28%2B00:00",
    "&metric=orders&&",
)


@pytest.mark.parametrize("query", ACCEPTED)
@pytest.mark.parametrize("path", [METRICS, WEB])
def test_a_query_with_points_in_memory_is_answered_the_short_way(
    service: Service, token: str, path: str, query: str
) -> None:
    empty = path == WEB and "tags" in query
    assert (answer(service, token, f"{path}?{query}") is None) == empty
    assert service.call("GET", f"{path}?{query}", token).status_code == 200
    assert service.short_answers == (not empty)


names = st.sampled_from(["metric", "tags", "start", "end", "aggregator", "period", "limit", "x"])
texts = st.sampled_from([
    "orders", "hits", "", "host:a", "host:a,host:b", "host", "0", "1414154249", "1414154248.0001",
    "2014-10-24T12:38:00Z", "2014-10-24 12:38:00 02", "mean", "count", "stddev", "p999", "mode",
    "avg", "1", "1m", "0s", "60", "2000", "\xe9", "\x00", "%zz", "#", "?",
])  # fmt: skip


@given(
    parameters=st.lists(st.tuples(names, texts), max_size=6),
    encoded=st.booleans(),
    metric=st.booleans(),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_answered_the_short_way_is_answered_alike(
    service: Service,
    token: str,
    parameters: list[tuple[str, str]],
    encoded: bool,
    metric: bool,
) -> None:
    parameters = [("metric", "orders")] * metric + parameters
    query = "&".join(map("=".join, parameters))
    if encoded or not query.isascii() or "#" in query or "\x00" in query:
        query = urlencode(parameters)
    before = service.short_answers
    found = service.call("GET", f"{METRICS}?{query}", token)
    answered = found.status_code == 200 and bool(found.json()["metrics"])
    assert service.short_answers - before == answered


@pytest.mark.parametrize(
    ("target", "lines"),
    [
        (f"{METRICS}?metric=orders&receipt=3-7-0", ()),
        (f"{METRICS}?metric=never", ()),
        (f"{METRICS}?metric=orders&end=0", ()),
        (f"{METRICS}?metric=orders&limit=0", ()),
        (METRICS, ()),
        (f"{METRICS}/?metric=orders", ()),
        (f"/{METRICS}?metric=orders", ()),
        ("/organizations/gi%6ct/metrics?metric=orders", ()),
        ("/organizations/other/metrics?metric=orders", ()),
        ("/organizations/gilt/teams/other/metrics?metric=orders", ()),
        ("/organizations/gilt/metric-names", ()),
        (f"http://cave{METRICS}?metric=orders", ()),
        (f"{METRICS}?metric=orders", ("Connection: close",)),
        (f"{METRICS}?metric=orders", ("Content-Length: 0",)),
        (f"{METRICS}?metric=orders", ("Transfer-Encoding: chunked",)),
        (f"{METRICS}?metric=orders", ("Expect: 100-continue",)),
        (f"{METRICS}?metric=orders", ("Authorization: Bearer other",)),
        (f"{METRICS}?metric=orders", ("X: y\n\nGET / HTTP/1.1",)),
        (f"{METRICS}?metric=orders", ("X: " + "x" * MAX_HEAD,)),
    ],
)
def test_any_other_request_is_left_to_the_server(
    service: Service, token: str, target: str, lines: tuple[str, ...]
) -> None:
    assert answer(service, token, target, *lines) is None


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS", "GETS"])
def test_any_other_method_is_left_to_the_server(service: Service, token: str, method: str) -> None:
    assert answer(service, token, f"{METRICS}?metric=orders", method=method) is None


def test_a_token_that_may_not_read_is_refused_the_usual_way(service: Service, token: str) -> None:
    for other in ("", "unknown", service.issue("gilt", "publish")):
        service.follower.catch_up()
        assert answer(service, other, f"{METRICS}?metric=orders") is None
    assert answer(service, token, f"{METRICS}?metric=orders") is not None
    service.seconds += 3600  # the directory has heard nothing for so long
    assert answer(service, token, f"{METRICS}?metric=orders") is None


def test_an_answer_from_a_stopped_projection_is_given_the_usual_way(
    service: Service, token: str
) -> None:
    points = service.read_model.generations["points"]
    service.read_model.generations["points"] = replace(points, stopped="the log is new")
    assert answer(service, token, f"{METRICS}?metric=orders") is None
    assert "cave-stale" in service.call("GET", f"{METRICS}?metric=orders", token).headers


def test_answers_given_the_short_way_are_counted(service: Service, token: str) -> None:
    labels = {"operation": "read_metrics", "status": "200"}

    def count() -> float:
        return REGISTRY.get_sample_value("cave_http_requests_total", labels) or 0.0

    before = count()
    for number in range(1, 4):
        assert answer(service, token, f"{METRICS}?metric=orders") is not None
        assert count() == before + number
