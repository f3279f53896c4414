"""The limit of series over HTTP: each protocol says in its own way what was not stored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from application.organizations.set_limits import SetLimits
from domain.limits import OrganizationLimits
from tests.http.conftest import problem_of
from tests.http.publish import test_influx as influx
from tests.http.publish import test_kairosdb as kairosdb
from tests.http.publish import test_opentsdb as opentsdb
from tests.http.publish import test_otlp as otlp
from tests.http.publish import test_remote_write as remote_write
from tests.http.publish.conftest import ORGANIZATION, Publishing
from tests.point_formats.otlp.requests import attribute, number
from tests.point_formats.remote_write.requests import (
    TIME,
    histogram,
    named,
    request_2,
    sample,
    series_2,
)

PATH = f"/organizations/{ORGANIZATION}/metrics"
LIMIT = 2
DETAIL = "the series is new, and the organization may have 2 active series"


@pytest.fixture(autouse=True)
def limited(publishing: Publishing) -> None:
    """Allow two series, one of which is active."""
    limits = OrganizationLimits(series=LIMIT)
    publishing.service.manage.set_limits(SetLimits(organization=ORGANIZATION, limits=limits))
    publishing.service.follower.catch_up()
    assert publishing.post(PATH, body("known")).status_code == 202


def item(name: str, **tags: str) -> dict[str, Any]:
    return {"name": name, "timestamp": 1398788625, "value": 1, "tags": tags}


def body(*names: str) -> bytes:
    return json.dumps({"metrics": [item(name) for name in names]}).encode()


def stored(publishing: Publishing) -> list[str]:
    """Return the names of the points that are stored beside the first."""
    return [point.name for point in publishing.points()][1:]


def refused_total(protocol: str) -> float:
    labels = {"protocol": protocol, "reason": "series_limit"}
    return REGISTRY.get_sample_value("cave_points_refused_total", labels) or 0.0


def check_kept(publishing: Publishing, protocol: str, *series: str) -> None:
    """Check that the refused series are among the organization's refused points."""
    kept = publishing.refused()
    assert [each["place"] for each in reversed(kept)] == list(series)
    assert {(each["protocol"], each["reason"], each["detail"]) for each in kept} == {
        (protocol, "series_limit", DETAIL)
    }


def test_a_json_batch_is_refused_as_a_whole(publishing: Publishing) -> None:
    answer = publishing.post(PATH, body("known", "a", "b", "c"), Idempotency_Key="key")
    problem = problem_of(answer, 429, "series-limit-exceeded")
    assert problem["detail"] == (
        "organization 'gilt' has 1 active series and may have 2; the batch has 2 new series "
        "without room, the first is b; no point of the batch was stored"
    )
    # The service's clock shows noon: room is made when the next day is over.
    assert answer.headers["retry-after"] == str(36 * 3600 + 1)
    assert stored(publishing) == []
    assert publishing.post(PATH, body("known", "a")).status_code == 202
    assert publishing.post(f"/organizations/{ORGANIZATION}/teams/web/metrics", body("a")).json()


def test_a_series_of_a_team_takes_room_of_the_organization(publishing: Publishing) -> None:
    team = f"/organizations/{ORGANIZATION}/teams/web/metrics"
    assert publishing.post(team, body("known")).status_code == 202
    problem_of(publishing.post(PATH, body("a")), 429, "series-limit-exceeded")
    problem_of(publishing.post(team, body("a")), 429, "series-limit-exceeded")


def test_partial_json_stores_the_rest(publishing: Publishing) -> None:
    before = refused_total("json")
    answer = publishing.post(f"{PATH}?partial=true", body("known", "a", "b", "b", "known"))
    assert answer.status_code == 202
    assert answer.json() == {
        "accepted": 3,
        "refused": 2,
        "errors": [{"detail": f"b: {DETAIL}"}],
    }
    assert stored(publishing) == ["known", "a", "known"]
    assert refused_total("json") == before + 2
    check_kept(publishing, "json", "b")


def test_partial_json_of_which_nothing_has_room_is_a_429(publishing: Publishing) -> None:
    publishing.post(PATH, body("a"))
    answer = publishing.post(f"{PATH}?partial=true", body("b", "c"))
    problem = problem_of(answer, 429, "series-limit-exceeded")
    assert problem["errors"] == [{"detail": f"{name}: {DETAIL}"} for name in ("b", "c")]
    assert answer.headers["retry-after"] == str(36 * 3600 + 1)
    bad = json.dumps({"metrics": [item("b"), {**item("c"), "value": None}]}).encode()
    answer = publishing.post(f"{PATH}?partial=true", bad)
    assert len(problem_of(answer, 400, "invalid-metrics")["errors"]) == 2
    assert stored(publishing) == ["a"]


@pytest.mark.parametrize("version", [1, 2])
def test_remote_write_stores_the_rest(publishing: Publishing, version: int) -> None:
    series = [(named(name), [sample(1.0, TIME)]) for name in ("known", "a", "b", "c")]
    answer = remote_write.post(publishing, version, remote_write.body(version, *series))
    assert answer.status_code == 400, "which is not sent again"
    assert answer.text == f"2 of 4 points were refused: b: {DETAIL}; c: {DETAIL}"
    assert "cave-receipt" in answer.headers
    written = answer.headers.get("x-prometheus-remote-write-samples-written")
    assert written == (None if version == 1 else "2")
    assert stored(publishing) == ["known", "a"]
    check_kept(publishing, "remote_write", "b", "c")


def test_of_a_histogram_each_series_is_admitted_by_itself(publishing: Publishing) -> None:
    sent = request_2(series_2(named("h"), histograms=[histogram(2)]))
    answer = remote_write.post(publishing, 2, sent)
    assert answer.status_code == 400
    assert answer.headers["x-prometheus-remote-write-histograms-written"] == "0"
    assert len(stored(publishing)) == 1


@pytest.mark.parametrize("media_type", [otlp.PROTOBUF, otlp.JSON])
def test_otlp_stores_the_rest(publishing: Publishing, media_type: str) -> None:
    first, second = (number(attributes=[attribute("host", host)]) for host in ("a", "b"))
    for sent, kept in (((first, second), 1), ((second,), 0)):
        answer = otlp.post(publishing, media_type, *sent)
        said = otlp.response_of(answer).partial_success
        assert said.rejected_data_points == 1
        assert DETAIL in said.error_message
        assert ("cave-receipt" in answer.headers) == bool(kept)
    assert stored(publishing) == ["up"]


@pytest.mark.parametrize("version", [1, 2, 3])
def test_influx_stores_the_rest(publishing: Publishing, version: int) -> None:
    answer = publishing.post(influx.path_of(version), b"a value=1\nb value=2\nb value=3 5")
    assert answer.status_code == 400
    said = influx.message_of(answer, version, "invalid")
    if version == 3:
        [line] = answer.json()["data"]
        assert line["error_message"] == f"b: {DETAIL}"
        assert (line["line_number"], line["original_line"]) == (0, "")
    else:
        assert said == f"partial write: 2 of 3 points were refused: b: {DETAIL}"
    assert stored(publishing) == ["a"]


def test_influx_that_accepts_no_part_is_a_429(publishing: Publishing) -> None:
    path = f"{influx.path_of(3)}?accept_partial=false"
    answer = publishing.post(path, b"a value=1\nb value=2")
    assert (answer.status_code, stored(publishing)) == (429, [])
    assert int(answer.headers["retry-after"]) > 3600
    assert "the first is b" in influx.message_of(answer, 3, "")
    assert publishing.post(path, b"a value=1").status_code == 204


def test_opentsdb_stores_the_rest(publishing: Publishing) -> None:
    points = [{**opentsdb.GOOD, "metric": name} for name in ("a", "b")]
    answer = publishing.post(f"{opentsdb.PATH}?details", opentsdb.body(*points))
    assert answer.status_code == 400
    error = {"datapoint": None, "error": f"b{{host=a}}: {DETAIL}"}
    assert answer.json() == {"success": 1, "failed": 1, "errors": [error]}
    assert stored(publishing) == ["a"]


def test_kairosdb_stores_the_rest(publishing: Publishing) -> None:
    points = [{**kairosdb.GOOD, "name": name} for name in ("a", "b")]
    answer = publishing.post(kairosdb.PATH, kairosdb.body(*points))
    assert kairosdb.errors_of(answer, 400) == [f"b{{host=a}}: {DETAIL}"]
    assert stored(publishing) == ["a"]
