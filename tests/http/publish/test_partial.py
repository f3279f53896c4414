"""JSON with `?partial=true`: the good points are stored, the others named."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from tests.http.conftest import problem_of
from tests.http.publish.conftest import Publishing

PATH = "/organizations/gilt/metrics"
GOOD = {"name": "a", "timestamp": 1398788625, "value": 1, "tags": {}}
BAD: list[tuple[Any, str, str]] = [
    ({**GOOD, "name": "9"}, "/metrics/1/name", "invalid_name"),
    ({**GOOD, "metric": "a"}, "/metrics/1/metric", "invalid_name"),
    ({**GOOD, "timestamp": -1}, "/metrics/1/timestamp", "invalid_time"),
    ({**GOOD, "value": "x"}, "/metrics/1/value", "invalid_value"),
    ({**GOOD, "tags": {"a": ""}}, "/metrics/1/tags/a", "invalid_tag"),
    ({**GOOD, "more": 1}, "/metrics/1/more", "invalid_syntax"),
    ([], "/metrics/1", "invalid_syntax"),
]


def body(*items: object) -> bytes:
    return msgspec.json.encode({"metrics": items})


def refused_total(reason: str) -> float:
    labels = {"protocol": "json", "reason": reason}
    return REGISTRY.get_sample_value("cave_points_refused_total", labels) or 0.0


@pytest.mark.parametrize(("bad", "pointer", "reason"), BAD)
def test_good_points_are_stored_and_bad_ones_named_counted_and_kept(
    publishing: Publishing, bad: object, pointer: str, reason: str
) -> None:
    before = refused_total(reason)
    answer = publishing.post(f"{PATH}?partial=true", body(GOOD, bad, {**GOOD, "name": "b"}))
    assert answer.status_code == 202
    assert answer.headers["cave-receipt"]
    said = answer.json()
    assert (said["accepted"], said["refused"]) == (2, 1)
    [error] = said["errors"]
    assert (error["pointer"], error["index"]) == (pointer, 1)
    assert [point.name for point in publishing.points()] == ["a", "b"]
    [kept] = publishing.refused()
    assert (kept["place"], kept["reason"], kept["protocol"]) == (pointer, reason, "json")
    assert kept["detail"] == error["detail"]
    assert refused_total(reason) == before + 1


def test_a_batch_without_bad_points_says_so(publishing: Publishing) -> None:
    answer = publishing.post(f"{PATH}?partial=true", body(GOOD))
    assert answer.status_code == 202
    assert answer.json() == {"accepted": 1, "refused": 0, "errors": []}


def test_a_batch_without_good_points_is_refused(publishing: Publishing) -> None:
    bad = {**GOOD, "value": None}
    answer = publishing.post(f"{PATH}?partial=true", body(*[bad] * 150))
    problem = problem_of(answer, 400, "invalid-metrics")
    assert len(problem["errors"]) == 100
    assert publishing.points() == []
    assert len(publishing.refused()) == 150


@pytest.mark.parametrize("query", ["", "?partial=false"])
def test_without_it_one_bad_point_refuses_all(publishing: Publishing, query: str) -> None:
    answer = publishing.post(f"{PATH}{query}", body(GOOD, {**GOOD, "value": None}))
    problem_of(answer, 400, "invalid-metrics")
    assert publishing.points() == []
    assert publishing.refused() == []


@pytest.mark.parametrize("value", ["maybe", "", "True", "1"])
@pytest.mark.parametrize("items", [[], [GOOD], [GOOD] * 100, [GOOD, {**GOOD, "value": None}]])
def test_another_value_is_an_error_whatever_the_body_is(
    publishing: Publishing, value: str, items: list[object]
) -> None:
    answer = publishing.post(f"{PATH}?partial={value}", body(*items))
    problem_of(answer, 400, "invalid-argument")
    assert publishing.points() == []


def test_a_repeated_batch_counts_its_refused_points_once(publishing: Publishing) -> None:
    sent = body(GOOD, {**GOOD, "value": None})
    before = refused_total("invalid_value")
    answers = [publishing.post(f"{PATH}?partial=true", sent, idempotency_key="k") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(publishing.refused()) == 1
    assert refused_total("invalid_value") == before + 1


def test_refused_points_are_for_admins(publishing: Publishing) -> None:
    answer = publishing.service.call("GET", "/organizations/gilt/refused", publishing.token)
    problem_of(answer, 403, "forbidden")


def test_the_newest_are_first_and_those_of_teams_included(publishing: Publishing) -> None:
    for path, name in ((PATH, "1"), ("/organizations/gilt/teams/web/metrics", "2")):
        publishing.post(f"{path}?partial=true", body(GOOD, {**GOOD, "name": name}))
    assert [kept["team"] for kept in publishing.refused()] == ["web", None]
