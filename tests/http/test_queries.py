"""Queries over HTTP: authorization, answers, and errors for wrong parameters."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from msgspec.structs import replace

from adapters.http.api.query_parameters import metrics_query
from adapters.http.openapi import document
from application.event_log.partitioning import partition_of
from application.event_log.ports import Entry, RecordedDescriptions, RecordedMetrics
from application.event_log.receipts import Receipt
from application.projections import errors as projections
from domain.metric_description import MetricDescription, MetricType, Temporality
from tests.application.test_query_values import escaped, tag_sets
from tests.contracts.metric_log import Point, described, published
from tests.http.conftest import Service, problem_of
from tests.http.test_openapi import conforms

NAMES = "/organizations/gilt/metric-names"
METRICS = "/organizations/gilt/metrics"
T = 1414154248000
PARTITION = partition_of("gilt", 16)


def point(value: float, at: int = T, name: str = "orders", **tags: str) -> Point:
    return name, at, value, tags


@pytest.fixture
def token(service: Service) -> str:
    return service.register("gilt", "read")


def publish(service: Service, *points: Point, position: int = 1, team: str | None = None) -> str:
    """Let the log and the read model hold a batch; return its receipt."""
    receipt = append(service, *points, position=position, team=team)
    event = published("gilt", team, list(points))
    service.read_model.add(RecordedMetrics(receipt, event))
    return str(receipt)


def describe(
    service: Service,
    *descriptions: MetricDescription,
    position: int = 3,
    team: str | None = None,
) -> None:
    """Let the read model hold descriptions."""
    event = described("gilt", team, descriptions)
    service.read_model.add(RecordedDescriptions(Receipt(PARTITION, T, position), event))


def append(service: Service, *points: Point, position: int = 1, team: str | None = None) -> Receipt:
    """Let the log hold a batch that cannot be read yet."""
    receipt = Receipt(PARTITION, T, position)
    fields = service.log.codec.encode(published("gilt", team, list(points)))
    service.log.put(Entry(receipt, fields))
    return receipt


def metrics(response: httpx.Response) -> list[Any]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    answer = response.json()
    schema = document()["paths"]["/organizations/{organization}/metrics"]["get"]["responses"]
    assert conforms(answer, schema["200"]["content"]["application/json"]["schema"])
    return [(sample["time"], sample["value"]) for sample in answer["metrics"]]


def faults_of(response: httpx.Response) -> dict[str, str]:
    problem = problem_of(response, 400, "invalid-parameters")
    assert all(set(fault) == {"parameter", "detail"} for fault in problem["errors"])
    return {fault["parameter"]: fault["detail"] for fault in problem["errors"]}


def test_names_are_listed_with_their_tags(service: Service, token: str) -> None:
    publish(service, point(1, shipTo="DE", host="a"), point(1, name="hits"))
    response = service.call("GET", NAMES, token)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == [
        {"name": "hits", "tags": []},
        {"name": "orders", "tags": ["host", "shipTo"]},
    ]
    operation = document()["paths"]["/organizations/{organization}/metric-names"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert schema["type"] == "array"
    assert all(conforms(known, schema["items"]) for known in response.json())


def test_points_are_returned_oldest_first_with_times_to_the_millisecond(
    service: Service, token: str
) -> None:
    publish(service, point(2, T + 1), point(1, T), point(-0.0, 0))
    response = service.call("GET", METRICS, token, params={"metric": "orders"})
    assert metrics(response) == [
        ("1970-01-01T00:00:00.000Z", 0.0),
        ("2014-10-24T12:37:28.000Z", 1.0),
        ("2014-10-24T12:37:28.001Z", 2.0),
    ]
    assert '"value":0.0}' in response.text


def test_a_point_at_the_latest_possible_time_is_returned(service: Service, token: str) -> None:
    publish(service, point(1, 95617584000000))
    response = service.call("GET", METRICS, token, params={"metric": "orders"})
    assert metrics(response) == [("5000-01-01T00:00:00.000Z", 1.0)]


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({"start": "2014-10-24T12:37:29Z"}, [2, 3]),
        ({"start": "2014-10-24T14:37:29+02:00"}, [2, 3]),
        ({"start": "20141024T123729.000Z"}, [2, 3]),
        ({"start": "1414154249"}, [2, 3]),
        ({"start": "1414154248.9991"}, [2, 3]),
        ({"start": "2014-10-24T12:37:28.999001Z"}, [2, 3]),
        ({"start": "2014-10-24T12:37:29.000000001Z"}, [3]),
        ({"end": "2014-10-24T12:37:29.000000001Z"}, [1, 2]),
        ({"start": "1414154249.000000000000000000000000000001"}, [3]),
        ({"start": "2014-10-24t12:37:29z"}, [2, 3]),
        ({"start": "2014-10-24 12:37:29Z"}, [2, 3]),
        ({"start": "2014-10-24 14:37:29+02:00"}, [2, 3]),
        ({"end": "1414154249"}, [1]),
        ({"end": "1414154249.0001"}, [1, 2]),
        ({"start": "1414154249", "end": "1414154250"}, [2]),
        ({"start": "1414154249", "end": "1414154249"}, []),
        ({"start": "-1", "end": "9999-12-31T23:59:59.999999-23:59"}, [1, 2, 3]),
        ({"start": "0001-01-01T00:00:00+23:59"}, [1, 2, 3]),
        ({"start": "-99999999999999999999"}, [1, 2, 3]),
        ({"end": "1969-12-31T23:59:59Z"}, []),
        ({"tags": "host:b"}, [2]),
        ({"tags": "host:b,shipTo:DE"}, [2]),
        ({"tags": "host:b,shipTo:FR"}, []),
        ({"tags": r"host:c\,d:e\\\,f"}, [3]),
        ({"limit": "2"}, [2, 3]),
        ({"aggregator": "sum", "period": "1s"}, [1, 2, 3]),
        ({"aggregator": "sum", "period": "1"}, [6]),
        ({"aggregator": "count", "period": "36500d"}, [3]),
        ({"aggregator": "count", "period": "1w"}, [3]),
        ({"aggregator": "max", "period": "1h", "limit": "1440"}, [3]),
    ],
)
def test_parameters_select_points(
    service: Service, token: str, parameters: dict[str, str], values: list[float]
) -> None:
    publish(
        service,
        point(1, T),
        point(2, T + 1000, host="b", shipTo="DE"),
        point(3, T + 2000, host="c,d:e\\,f"),
    )
    response = service.call("GET", METRICS, token, params={"metric": "orders", **parameters})
    assert [value for _, value in metrics(response)] == values


@given(tag_sets)
def test_every_tag_set_can_be_queried(tags: dict[str, str]) -> None:
    written = ",".join(f"{name}:{escaped(value)}" for name, value in tags.items())
    assert metrics_query(f"metric=a&tags={quote(written)}".encode()).tags == tags


@pytest.mark.parametrize(
    "start",
    [
        "2014-10-24T14:37:29+02:00",
        "2014-10-24t14:37:29+0200",
        "2014-10-24+14:37:29+02",
        "2014-10-24+14:37:29.0%2B02:00",
        "2014-10-24+12:37:29Z",
        "2014-10-24+10:37:29-02:00",
        "20141024T1437:29+02",
    ],
)
def test_a_plus_sign_that_was_not_encoded_is_understood(
    service: Service, token: str, start: str
) -> None:
    publish(service, point(1, T), point(2, T + 1000))
    response = service.call("GET", f"{METRICS}?metric=orders&start={start}", token)
    assert [value for _, value in metrics(response)] == [2]


def test_buckets_are_returned_with_their_start(service: Service, token: str) -> None:
    publish(service, point(1, T), point(2, T + 1000), point(5, T + 60_000))
    params = {"metric": "orders", "aggregator": "mean", "period": "1m"}
    assert metrics(service.call("GET", METRICS, token, params=params)) == [
        ("2014-10-24T12:37:00.000Z", 1.5),
        ("2014-10-24T12:38:00.000Z", 5.0),
    ]


def test_a_sum_beyond_a_float_is_null(service: Service, token: str) -> None:
    publish(service, point(1.7e308), point(1.7e308))
    params = {"metric": "orders", "aggregator": "sum", "period": "1m"}
    assert metrics(service.call("GET", METRICS, token, params=params)) == [
        ("2014-10-24T12:37:00.000Z", None)
    ]


def test_sixty_points_are_returned_by_default(service: Service, token: str) -> None:
    publish(service, *(point(i, T + i) for i in range(100)))
    response = service.call("GET", METRICS, token, params={"metric": "orders"})
    assert [value for _, value in metrics(response)] == list(range(40, 100))


def test_head_is_answered_without_a_body(service: Service, token: str) -> None:
    publish(service, point(1))
    for path in (NAMES, f"{METRICS}?metric=orders"):
        response = service.call("HEAD", path, token)
        assert response.status_code == 200
        assert response.content == b""


def test_a_post_to_the_same_path_is_a_publish(service: Service, token: str) -> None:
    assert service.call("POST", METRICS, token).status_code == 202
    allowed = service.call("OPTIONS", METRICS).headers["allow"]
    assert allowed == "GET, HEAD, OPTIONS, POST"


def test_teams_have_their_own_data(service: Service, token: str) -> None:
    service.create_team("gilt", "web")
    publish(service, point(1), team="web")
    publish(service, point(2, name="hits"), position=2)
    web = "/organizations/gilt/teams/web"
    own = service.issue("gilt", "read", team="web")
    for reader in (token, own):
        response = service.call("GET", f"{web}/metrics", reader, params={"metric": "orders"})
        assert [value for _, value in metrics(response)] == [1]
        assert service.call("GET", f"{web}/metric-names", reader).json() == [
            {"name": "orders", "tags": []}
        ]
    problem_of(service.call("GET", f"{METRICS}?metric=orders", token), 404, "unknown-metric")
    problem_of(service.call("GET", f"{METRICS}?metric=hits", own), 403, "forbidden")
    problem_of(service.call("GET", NAMES, own), 403, "forbidden")


@pytest.mark.parametrize("path", [NAMES, METRICS])
def test_the_read_token_is_checked_before_the_parameters(
    service: Service, token: str, path: str
) -> None:
    wrong = f"{path}?nonsense=1"
    publisher = service.issue("gilt", "publish")
    problem_of(service.call("GET", wrong), 401, "missing-credentials")
    problem_of(service.call("GET", wrong, "cave_unknown"), 403, "forbidden")
    problem_of(service.call("GET", wrong, publisher), 403, "forbidden")
    problem_of(service.call("GET", wrong.replace("gilt", "x"), token), 404, "unknown-organization")
    problem_of(
        service.call("GET", wrong.replace("gilt", "gilt/teams/x"), token), 404, "unknown-team"
    )
    basic = {"Authorization": "Basic " + b64encode(f"{token}:".encode()).decode()}
    assert "nonsense" in faults_of(service.call("GET", wrong, headers=basic))


def test_an_unknown_name_is_a_404_and_a_range_without_points_an_empty_list(
    service: Service, token: str
) -> None:
    publish(service, point(1))
    params = {"metric": "orders", "end": "1970-01-01T00:00:00Z"}
    assert metrics(service.call("GET", METRICS, token, params=params)) == []
    problem = problem_of(
        service.call("GET", METRICS, token, params={**params, "metric": "order"}),
        404,
        "unknown-metric",
    )
    assert "'order'" in problem["detail"]


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("", "metric", "mandatory"),
        ("metric=", "metric", "1 to 255"),
        ("metric=2xx", "metric", "must match"),
        ("metric=a&metric=a", "metric", "more than once"),
        ("metric=a&metrics=b", "metrics", "metric, tags, start, end, aggregator, period, limit"),
        ("metric=a&tags=", "tags", "no colon"),
        ("metric=a&tags=host", "tags", "'host' has no colon"),
        ("metric=a&tags=host:b,", "tags", "'' has no colon"),
        ("metric=a&tags=:b", "tags", "name must have 1"),
        ("metric=a&tags=a%20b:c", "tags", "name must match"),
        ("metric=a&tags=host:", "tags", "value of tag 'host'"),
        ("metric=a&tags=host:%00", "tags", "control"),
        ("metric=a&tags=host:a,host:a", "tags", "twice"),
        ("metric=a&tags=" + ",".join(f"t{i}:v" for i in range(41)), "tags", "at most 40"),
        ("metric=a&tags=%FF", "tags", "UTF-8"),
        ("metric=a&start=2014-10-24", "start", "zone"),
        ("metric=a&start=2014-10-24+12:37", "start", "'2014-10-24 12:37'"),
        ("metric=a&start=%D9%A1", "start", "seconds since the epoch"),
        ("metric=a&limit=%EF%BC%91", "limit", "1 to 1440"),
        ("metric=a&limit=1_0", "limit", "1 to 1440"),
        ("metric=a&receipt=%D9%A1-2-3", "receipt", "<partition>"),
        ("metric=a&start=2014-10-24T12:37:28", "start", "zone"),
        ("metric=a&start=yesterday", "start", "'yesterday'"),
        ("metric=a&start=", "start", "ISO 8601"),
        ("metric=a&start=1e9", "start", "'1e9'"),
        ("metric=a&start=nan", "start", "'nan'"),
        ("metric=a&end=1414154248000", "end", "in seconds"),
        ("metric=a&end=" + "9" * 30, "end", "ISO 8601"),
        ("metric=a&start=5&end=4", "start", "later than end"),
        ("metric=a&aggregator=avg&period=1", "aggregator", "count, min, max, mean, mode"),
        ("metric=a&aggregator=sum", "period", "mandatory"),
        ("metric=a&period=1", "period", "only allowed with an aggregator"),
        ("metric=a&aggregator=sum&period=0", "period", "30s"),
        ("metric=a&aggregator=sum&period=1.5", "period", "whole number"),
        ("metric=a&aggregator=sum&period=1y", "period", "'1y'"),
        ("metric=a&aggregator=sum&period=-1", "period", "'-1'"),
        ("metric=a&aggregator=sum&period=36501d", "period", "at most 36500d"),
        ("metric=a&aggregator=sum&period=" + "9" * 20, "period", "36500d"),
        ("metric=a&aggregator=sum&period=%D9%A1", "period", "whole number"),
        ("metric=a&limit=0", "limit", "1 to 1440"),
        ("metric=a&limit=1441", "limit", "1 to 1440"),
        ("metric=a&limit=ten", "limit", "'ten'"),
        ("metric=a&limit=", "limit", "1 to 1440"),
        ("metric=a&receipt=1-2", "receipt", "<partition>-<milliseconds>-<sequence>"),
        ("metric=a&%FF=1", "\ufffd", "is not a parameter"),
    ],
)
def test_a_wrong_parameter_is_reported(
    service: Service, token: str, query: str, parameter: str, words: str
) -> None:
    faults = faults_of(service.call("GET", f"{METRICS}?{query}", token))
    assert list(faults) == [parameter]
    assert words in faults[parameter]


def test_all_wrong_parameters_are_reported_together(service: Service, token: str) -> None:
    query = "tags=x&start=y&limit=0&period=1&more=1&receipt=z"
    faults = faults_of(service.call("GET", f"{METRICS}?{query}", token))
    assert set(faults) == {"metric", "tags", "start", "limit", "period", "more", "receipt"}


def test_names_take_no_other_parameters(service: Service, token: str) -> None:
    assert "limit" in faults_of(service.call("GET", f"{NAMES}?limit=1", token))


@pytest.mark.parametrize("value", ["", "1", "True", "yes", "true%20"])
def test_metadata_is_true_or_false(service: Service, token: str, value: str) -> None:
    faults = faults_of(service.call("GET", f"{NAMES}?metadata={value}", token))
    assert "must be true or false" in faults["metadata"]


def test_names_have_what_is_known_of_them_if_that_is_asked_for(
    service: Service, token: str
) -> None:
    publish(service, point(1, host="a"), point(1, name="hits"), point(1, name="plain"))
    publish(service, point(1, name="seconds_bucket"), position=2)
    describe(
        service,
        MetricDescription("seconds", MetricType.HISTOGRAM),
        MetricDescription("hits", MetricType.COUNTER, "1", "Hits.", Temporality.CUMULATIVE),
        MetricDescription("orders", unit="EUR"),
        MetricDescription("never.published", MetricType.GAUGE),
    )
    names = [
        {"name": "hits", "tags": []},
        {"name": "orders", "tags": ["host"]},
        {"name": "plain", "tags": []},
        {"name": "seconds_bucket", "tags": []},
    ]
    for path in (NAMES, f"{NAMES}?metadata=false"):
        assert service.call("GET", path, token).json() == names
    response = service.call("GET", f"{NAMES}?metadata=true", token)
    assert response.status_code == 200
    hits, orders, plain, bucket = names
    assert response.json() == [
        hits | {"type": "counter", "unit": "1", "help": "Hits.", "temporality": "cumulative"},
        orders | {"unit": "EUR"},
        plain,
        bucket | {"type": "histogram"},
    ]
    operation = document()["paths"]["/organizations/{organization}/metric-names"]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert all(conforms(known, schema["items"]) for known in response.json())


def test_a_teams_metadata_are_its_own(service: Service, token: str) -> None:
    service.create_team("gilt", "web")
    publish(service, point(1))
    publish(service, point(1), position=2, team="web")
    describe(service, MetricDescription("orders", help="all"))
    describe(service, MetricDescription("orders", help="web's"), position=4, team="web")
    for path, text in ((NAMES, "all"), ("/organizations/gilt/teams/web/metric-names", "web's")):
        [known] = service.call("GET", f"{path}?metadata=true", token).json()
        assert known == {"name": "orders", "tags": [], "help": text}


def test_with_a_receipt_its_batch_is_in_the_answer(service: Service, token: str) -> None:
    receipt = publish(service, point(1))
    params = {"metric": "orders", "receipt": receipt}
    assert len(metrics(service.call("GET", METRICS, token, params=params))) == 1


def test_a_batch_that_cannot_be_read_in_time_is_a_503(service: Service, token: str) -> None:
    publish(service, point(1))
    params = {"metric": "orders", "receipt": str(append(service, point(2), position=2))}
    response = service.call("GET", METRICS, token, params=params)
    problem_of(response, 503, "not-readable-yet")
    assert response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "receipt", [(PARTITION, T, 0), (PARTITION, T + 9, 0), (PARTITION + 1, T, 1)]
)
def test_a_receipt_that_no_batch_of_the_organization_has_is_a_404(
    service: Service, token: str, receipt: tuple[int, int, int]
) -> None:
    publish(service, point(1))
    params = {"metric": "orders", "receipt": str(Receipt(*receipt))}
    response = service.call("GET", METRICS, token, params=params)
    problem_of(response, 404, "unknown-receipt")


@pytest.mark.parametrize(
    "kind",
    [
        projections.TooManyQueries,
        projections.QueryTooLarge,
        projections.StoreUnavailable,
        projections.ProjectionMissing,
    ],
)
def test_a_query_that_cannot_be_answered_now_is_a_503(
    service: Service, token: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise kind("said to a person")

    monkeypatch.setattr(service.read_model, "samples", fail)
    monkeypatch.setattr(service.read_model, "metric_names", fail)
    for path in (NAMES, f"{METRICS}?metric=orders"):
        response = service.call("GET", path, token)
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert response.json()["detail"] == "said to a person"


def test_tag_values_are_any_text(service: Service, token: str) -> None:
    value = '名前 "😀" \\ + & = % :'
    publish(service, point(1, host=value), point(2, host="x"))
    query = f"metric=orders&tags=host:{quote(value)}"
    response = service.call("GET", f"{METRICS}?{query}", token)
    assert [found for _, found in metrics(response)] == [1]


@pytest.mark.parametrize(
    ("stopped", "of_points", "of_names", "of_unknown"),
    [
        ((), False, False, False),
        (("points",), True, False, True),
        (("metric_names",), False, True, True),
        (("points", "metric_names"), True, True, True),
        (("metric_metadata",), False, False, False),
    ],
)
def test_an_answer_from_a_stopped_projection_has_the_time_of_its_last_event(
    service: Service,
    token: str,
    stopped: tuple[str, ...],
    of_points: bool,
    of_names: bool,
    of_unknown: bool,
) -> None:
    """For all answers: points, buckets from memory, names, and the 404 of an unknown metric."""
    publish(service, point(1))
    for name in stopped:
        generation = service.read_model.generations[name]
        service.read_model.generations[name] = replace(generation, stopped="the log is another")
    since = "2014-10-24T12:37:28.000Z"
    metadata = bool({"metric_names", "metric_metadata"} & {*stopped})
    for query, stale in (
        (f"{NAMES}?metadata=true", metadata),
        (f"{METRICS}?metric=orders", of_points),
        (f"{METRICS}?metric=orders&aggregator=sum&period=1m", of_points),
        (f"{METRICS}?metric=orders&end=0", of_points),
        (NAMES, of_names),
        (f"{METRICS}?metric=sales", of_unknown),
    ):
        response = service.call("GET", query, token)
        assert response.status_code == (404 if "sales" in query else 200)
        assert response.headers.get("cave-stale") == (since if stale else None), query
