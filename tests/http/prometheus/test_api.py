"""Prometheus' HTTP API over series in memory."""

from __future__ import annotations

from typing import Any

import pytest

from application.event_log.ports import RecordedDescriptions
from application.event_log.receipts import Receipt
from application.reading.series import Owner
from domain.events import MetricsDescribed
from domain.metric_description import description_of
from tests.http.conftest import START
from tests.http.prometheus.conftest import NOW, ORGANIZATION, ROOT, TEAM, Asking, data_of, error_of


def test_an_instant_query_is_a_vector_at_a_time(asking: Asking) -> None:
    found = data_of(asking.get(f"{ORGANIZATION}/query", query="up", time=NOW - 30))
    assert found == {
        "resultType": "vector",
        "result": [
            {"metric": {"__name__": "up", "host": host}, "value": [NOW - 30, "2"]}
            for host in ("a", "b")
        ],
    }
    now = data_of(asking.get(f"{ORGANIZATION}/query", query='up{host="a"}'))
    assert now["result"][0]["value"] == [NOW, "4"]


def test_times_have_three_decimals_unless_they_are_whole(asking: Asking) -> None:
    answer = asking.get(f"{ORGANIZATION}/query", query="1", time=f"{NOW}.5")
    assert f"[{NOW}.500," in answer.text
    iso = START.isoformat().replace("+00:00", "Z")
    assert data_of(asking.get(f"{ORGANIZATION}/query", query="1", time=iso)) == {
        "resultType": "scalar",
        "result": [NOW, "1"],
    }


def test_a_range_query_is_a_matrix(asking: Asking) -> None:
    parameters: dict[str, Any] = {
        "query": 'up{host="b"}',
        "start": NOW - 60,
        "end": NOW,
        "step": "30s",
    }
    for found in (
        data_of(asking.get(f"{ORGANIZATION}/query_range", **parameters)),
        data_of(asking.post(f"{ORGANIZATION}/query_range", **parameters)),
    ):
        assert found["resultType"] == "matrix"
        [series] = found["result"]
        assert series["values"] == [[NOW - 60, "0"], [NOW - 30, "2"], [NOW, "4"]]


def test_strings_and_range_vectors(asking: Asking) -> None:
    assert data_of(asking.get(f"{ORGANIZATION}/query", query='"é"'))["result"] == [NOW, "é"]
    found = data_of(asking.get(f"{ORGANIZATION}/query", query='up{host="a"}[20s]'))
    assert found["resultType"] == "matrix"
    assert found["result"][0]["values"] == [[NOW - 15, "3"], [NOW, "4"]]


@pytest.mark.parametrize("path", ["query", "query_range"])
def test_post_may_have_its_parameters_in_the_url(asking: Asking, path: str) -> None:
    """As vmalert sends them: with a media type that says otherwise, and no body."""
    query = f"query=up&start={NOW - 15}&end={NOW}&step=15"
    answer = asking.service.call(
        "POST",
        f"{ORGANIZATION}/{path}?{query}",
        asking.token,
        headers={"Content-Type": "application/json"},
    )
    assert len(data_of(answer)["result"]) == 2


def test_teams_and_owners_of_tokens_have_series_of_their_own(asking: Asking) -> None:
    def hosts(path: str, token: str) -> list[str]:
        found = data_of(asking.get(f"{path}/query", token, query="up"))
        return [series["metric"]["host"] for series in found["result"]]

    assert hosts(TEAM, asking.token) == hosts(TEAM, asking.team_token) == ["c"]
    assert hosts(ROOT, asking.team_token) == ["c"]
    assert hosts(ROOT, asking.token) == ["a", "b"]


def test_labels_values_and_series(asking: Asking) -> None:
    assert data_of(asking.get(f"{ORGANIZATION}/labels")) == ["__name__", "host"]
    assert data_of(asking.get(f"{ORGANIZATION}/label/host/values")) == ["a", "b"]
    only: dict[str, Any] = {"match[]": ['{host="b"}', "none"]}
    assert data_of(asking.get(f"{ORGANIZATION}/label/host/values", **only)) == ["b"]
    found = data_of(asking.get(f"{ORGANIZATION}/series", **only))
    assert found == [{"__name__": "up", "host": "b"}]
    assert data_of(asking.post(f"{ORGANIZATION}/series", **{"match[]": "up", "limit": 1})) == [
        {"__name__": "up", "host": "a"}
    ]


def test_a_limit_truncates_and_warns(asking: Asking) -> None:
    window: dict[str, Any] = {"start": NOW - 60, "end": NOW, "step": 60}
    for path, parameters in (
        ("query", {"query": "up"}),
        ("query_range", {"query": "up", **window}),
        ("series", {"match[]": "up"}),
        ("labels", {}),
        ("label/host/values", {}),
    ):
        limited = asking.get(f"{ORGANIZATION}/{path}", **parameters, limit=1)
        data = data_of(limited)
        assert len(data["result"] if "query" in path else data) == 1
        assert limited.json()["warnings"] == ["results truncated due to limit"]
        for enough in (2, 0, "+3"):
            whole = asking.get(f"{ORGANIZATION}/{path}", **parameters, limit=enough).json()
            data = whole["data"]
            assert len(data["result"] if "query" in path else data) == 2
            assert "warnings" not in whole


def test_the_look_back_can_be_chosen(asking: Asking) -> None:
    query = f"{ORGANIZATION}/query"
    assert len(data_of(asking.get(query, query="up", time=NOW + 100))["result"]) == 2
    for look_back in ("90s", 90, "90.5"):
        found = data_of(asking.get(query, query="up", time=NOW + 100, lookback_delta=look_back))
        assert found["result"] == []
    for default in (0, -5, ""):
        parameters: dict[str, Any] = {"query": "up", "time": NOW + 100, "lookback_delta": default}
        assert len(data_of(asking.get(query, **parameters))["result"]) == 2


def test_labels_in_paths_may_be_escaped(asking: Asking) -> None:
    asking.service.series.add(
        Owner("gilt"), {"__name__": "up", "http.method": "GET"}, [(NOW * 1000, 1.0)]
    )
    for name in ("http.method", "U__http_2e_method", "http%2Emethod"):
        assert data_of(asking.get(f"{ORGANIZATION}/label/{name}/values")) == ["GET"]
    assert data_of(asking.get(f"{ORGANIZATION}/label/U______name____/values")) == ["up"]
    found = data_of(asking.get(f"{ORGANIZATION}/query", query='{"up", "http.method"="GET"}'))
    assert found["result"][0]["metric"] == {"__name__": "up", "http.method": "GET"}


def test_annotations_are_part_of_the_answer(asking: Asking) -> None:
    query = "rate(up[1m]) + on(host) quantile by (host) (2, up)"
    answer = asking.get(f"{ORGANIZATION}/query", query=query).json()
    assert answer["warnings"] == [
        "PromQL warning: quantile value should be between 0 and 1, got 2 (1:45)"
    ]
    assert answer["infos"] == [
        "PromQL info: metric might not be a counter, name does not end in "
        '_total/_sum/_count/_bucket: "up" (1:6)'
    ]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("1.2345", 1.234),
        ("1.2346", 1.235),
        ("1e3", 1000),
        ("-5.5", -5.5),
        ("+5", 5),
        ("1_000", 1000),
        ("2023-11-14T22:13:20.123999Z", 1_700_000_000.123),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000.5),
        ("1969-12-31T23:59:59.9999Z", -0.001),
    ],
)
def test_forms_of_times(asking: Asking, text: str, time: float) -> None:
    found = data_of(asking.get(f"{ORGANIZATION}/query", query="1", time=text))
    assert found["result"][0] == time


def test_metadata_is_the_last_description_of_each_metric(asking: Asking) -> None:
    up = description_of("up", "gauge", "", "Whether it answers.")
    seconds = description_of("job_seconds", "counter", "s", "Time.")
    assert up is not None
    assert seconds is not None
    event = MetricsDescribed(
        organization="gilt", team=None, token_id="t", descriptions=(up, seconds)
    )
    asking.service.read_model.add(RecordedDescriptions(Receipt(3, 1, 0), event, b""))
    found = data_of(asking.get(f"{ORGANIZATION}/metadata"))
    assert found == {
        "up": [{"type": "gauge", "help": "Whether it answers.", "unit": ""}],
        "job_seconds": [{"type": "counter", "help": "Time.", "unit": "s"}],
    }
    only = data_of(asking.get(f"{ORGANIZATION}/metadata", metric="up"))
    assert list(only) == ["up"]
    assert data_of(asking.get(f"{ORGANIZATION}/metadata", metric="none")) == {}
    assert data_of(asking.get(f"{TEAM}/metadata")) == {}


def test_what_else_clients_ask(asking: Asking) -> None:
    assert data_of(asking.get(f"{ORGANIZATION}/status/buildinfo"))["version"]
    assert data_of(asking.get(f"{ORGANIZATION}/rules")) == {"groups": []}
    assert data_of(asking.get(f"{ORGANIZATION}/alerts")) == {"alerts": []}
    assert data_of(asking.get(f"{ORGANIZATION}/query_exemplars", query="up")) == []
    assert data_of(asking.get(f"{ORGANIZATION}/format_query", query="sum( up )")) == "sum(up)"


@pytest.mark.parametrize(
    ("path", "parameters", "words"),
    [
        ("query", {}, ""),
        ("query", {"query": "sum("}, ""),
        ("query", {"query": "unknown(up)"}, "unknown"),
        (
            "query",
            {"query": "up", "time": "x"},
            'invalid parameter "time": Invalid time value for \'time\': cannot parse "x" to a '
            "valid timestamp",
        ),
        ("query", {"query": "up", "time": "2023-11-14"}, 'cannot parse "2023-11-14"'),
        ("query", {"query": "up", "time": "2023-11-14T22:13:20"}, "to a valid timestamp"),
        ("query", {"query": "up", "time": " 5"}, "to a valid timestamp"),
        ("query", {"query": "up", "lookback_delta": "x"}, 'invalid parameter "lookback_delta"'),
        ("query_range", {"query": "up", "start": "x"}, '"start": cannot parse "x" to a valid tim'),
        ("query_range", {"query": "up(", "start": 1, "end": 2, "step": 1}, 'r "query": 1:4: parse'),
        ("query_range", {"query": "up", "start": 0, "end": 2, "step": "1e300"}, "overflows int64"),
        ("label/U__/values", {}, "invalid label name"),
        ("series", {"match[]": ["up", "{}"]}, '"match[]": match[] must contain at least one non-e'),
        ("series", {"match[]": "up[5m]"}, 'invalid parameter "match[]": 1:3: parse error: unexpec'),
        ("query_range", {"query": "up", "start": 1, "end": 2}, 'invalid parameter "step"'),
        ("query_range", {"query": "up", "start": 3, "end": 2, "step": 1}, "before start"),
        ("query_range", {"query": "up", "start": 0, "end": 20_000, "step": 1}, "exceeded maximum"),
        ("query_range", {"query": "up", "start": 0, "end": 2, "step": "1x"}, "valid duration"),
        ("query_range", {"query": "up", "start": 0, "end": 2, "step": 0}, "zero or negative"),
        ("series", {}, "no match[]"),
        ("series", {"match[]": "{"}, ""),
        ("labels", {"limit": "x"}, 'invalid parameter "limit": strconv.Atoi: parsing "x": invalid'),
        ("labels", {"limit": "-1"}, 'invalid parameter "limit": limit must be non-negative'),
        ("format_query", {"query": "("}, ""),
    ],
)
def test_bad_parameters_are_named(
    asking: Asking, path: str, parameters: dict[str, Any], words: str
) -> None:
    kind, said = error_of(asking.get(f"{ORGANIZATION}/{path}", **parameters), 400)
    assert kind == "bad_data"
    assert words in said


def test_an_expression_that_cannot_be_evaluated_is_an_execution_error(asking: Asking) -> None:
    query = "up * on() up"
    assert error_of(asking.get(f"{ORGANIZATION}/query", query=query), 422)[0] == "execution"


def test_a_token_that_may_not_read_is_refused_in_the_same_form(asking: Asking) -> None:
    publisher = asking.service.issue("gilt", "publish")
    assert error_of(asking.get(f"{ORGANIZATION}/query", publisher, query="up"), 403)
    answer = asking.service.call("GET", f"{ORGANIZATION}/query?query=up")
    assert error_of(answer, 401)
    assert "Basic" in answer.headers["www-authenticate"]
    assert error_of(asking.get(f"{ROOT}/query", "cave_unknown", query="up"), 403)


def test_a_form_that_is_too_large_is_refused(asking: Asking) -> None:
    assert error_of(asking.post(f"{ORGANIZATION}/query", query="x" * (2 << 20)), 413)


@pytest.mark.parametrize("prefix", [ORGANIZATION, TEAM, ROOT])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_queries_do_not_go_through_the_framework_and_are_answered_as_by_it(
    asking: Asking, monkeypatch: pytest.MonkeyPatch, method: str, prefix: str
) -> None:
    service = asking.service

    def answers() -> Any:
        for token in (asking.token, asking.team_token, "cave_wrong"):
            for query in ("query?query=up&time=5", "query?query=)", "series?match[]=up", "labels"):
                # A slash at the end is a spelling that only the framework knows.
                path, _, rest = query.partition("?")
                yield path, rest, token

    expected = [
        service.call(method, f"{prefix}/{path}/?{rest}", token) for path, rest, token in answers()
    ]

    async def fail(*_: object) -> None:
        raise AssertionError("routed")

    monkeypatch.setattr(service.app, "routed", fail)
    found = [
        service.call(method, f"{prefix}/{path}?{rest}", token) for path, rest, token in answers()
    ]
    assert {response.status_code for response in found} > {200, 400}
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.status_code == theirs.status_code
        assert ours.content == theirs.content
        assert ours.headers == theirs.headers
