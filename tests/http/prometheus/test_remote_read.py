"""Remote read over series in memory, its answers decoded by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import cramjam
import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.http.prometheus.remote_read.answers import chunked_responses as encoded_chunks
from adapters.http.prometheus.remote_read.answers import read_response as encoded_samples
from application.reading.query_budget import QueryBudget, QueryLimits
from application.reading.series import Owner, Series
from tests.http.conftest import START, Service
from tests.http.prometheus.read_wire import (
    FIRST_INT64,
    LAST_INT64,
    Query,
    Read,
    bits_of,
    chunked_responses,
    read_request,
    read_response,
)

NOW = int(START.timestamp()) * 1000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
ORGANIZATION = "/organizations/gilt/prometheus/api/v1/read"
TEAM = "/organizations/gilt/teams/web/prometheus/api/v1/read"
ROOT = "/api/v1/read"
SAMPLES, CHUNKS = 0, 1
UP = ("__name__", "=", "up")


class Reading:
    """A service with an organization `gilt` and its team `web`, which have series `up`."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token = service.register("gilt", "read")
        service.create_team("gilt", "web")
        self.add(Owner("gilt"), {"__name__": "up", "host": "b"}, [(NOW, 2.0)])
        self.add(Owner("gilt"), {"__name__": "up", "Zone": "z", "host": "c"}, [(NOW, 3.0)])
        self.add(
            Owner("gilt"),
            {"__name__": "up", "host": "a"},
            [(NOW - 15_000, 1.0), (NOW, STALE), (NOW + 15_000, -0.0)],
        )
        self.add(Owner("gilt", "web"), {"__name__": "up", "host": "web"}, [(NOW, 4.0)])

    def add(
        self, owner: Owner, labels: dict[str, str], samples: Sequence[tuple[int, float]]
    ) -> None:
        self.service.series.add(owner, labels, samples)

    def post(
        self, body: bytes, path: str = ORGANIZATION, token: str | None = None
    ) -> httpx.Response:
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Read-Version": "0.1.0",
        }
        token = token or self.token
        return self.service.call("POST", path, token, headers=headers, content=body)

    def series(self, *queries: Query, path: str = ORGANIZATION) -> list[list[Read]]:
        """Return the answer, which must be the same in both forms."""
        answer = self.post(read_request(queries), path)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert answer.headers["content-encoding"] == "snappy"
        found = read_response(answer.content)
        chunked = self.post(read_request(queries, [CHUNKS, SAMPLES]), path)
        assert chunked.headers["content-type"] == (
            "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
        )
        assert "content-encoding" not in chunked.headers
        by_query = chunked_responses(chunked.content)
        assert [by_query.get(index, []) for index in range(len(queries))] == found
        return found


@pytest.fixture
def reading(service: Service) -> Reading:
    return Reading(service)


def hosts(found: Sequence[Read]) -> list[str]:
    return [dict(one.labels)["host"] for one in found]


def test_series_are_sorted_by_labels_and_labels_by_name(reading: Reading) -> None:
    [found] = reading.series(Query(0, NOW, [UP]))
    assert [one.labels for one in found] == [
        (("Zone", "z"), ("__name__", "up"), ("host", "c")),
        (("__name__", "up"), ("host", "a")),
        (("__name__", "up"), ("host", "b")),
    ]


def test_both_ends_belong_to_the_range_and_values_keep_their_bits(reading: Reading) -> None:
    def samples(start: int, end: int) -> list[tuple[int, int]]:
        [found] = reading.series(Query(start, end, [("host", "=", "a")]))
        return found[0].samples if found else []

    first, stale, last = samples(FIRST_INT64, LAST_INT64)
    assert first == (NOW - 15_000, bits_of(1.0))
    assert stale == (NOW, 0x7FF0000000000002)
    assert last == (NOW + 15_000, bits_of(-0.0))
    assert samples(NOW - 15_000, NOW) == [first, stale]
    assert samples(NOW - 14_999, NOW - 1) == []
    assert samples(NOW, NOW) == [stale]
    assert samples(NOW, NOW - 1) == []


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ([("host", "=", "a")], ["a"]),
        ([("host", "!=", "a")], ["c", "b"]),
        ([("host", "=~", "a|b")], ["a", "b"]),
        ([("host", "!~", "a|b")], ["c"]),
        ([("host", "=~", "[bc]"), ("Zone", "=", "")], ["b"]),
        ([("Zone", "!=", "")], ["c"]),
        ([], ["c", "a", "b"]),
    ],
)
def test_matchers_are_those_of_promql(
    reading: Reading, matchers: list[tuple[str, str, str]], expected: list[str]
) -> None:
    [found] = reading.series(Query(0, NOW, matchers))
    assert hosts(found) == expected


def test_several_queries_are_answered_in_their_order(reading: Reading) -> None:
    found = reading.series(
        Query(0, NOW, [("host", "=", "b")]),
        Query(0, NOW, [("host", "=", "none")]),
        Query(0, NOW, [("host", "=", "a")]),
    )
    assert [hosts(series) for series in found] == [["b"], [], ["a"]]
    assert reading.series() == []


def test_teams_and_owners_of_tokens_have_series_of_their_own(reading: Reading) -> None:
    [found] = reading.series(Query(0, NOW, [UP]), path=TEAM)
    assert hosts(found) == ["web"]
    [found] = reading.series(Query(0, NOW, [UP]), path=ROOT)
    assert hosts(found) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("accepted", "chunked"), [([], False), ([0], False), ([0, 1], False), ([7, 1], True)]
)
def test_the_answer_has_the_first_form_that_the_client_accepts(
    reading: Reading, accepted: list[int], chunked: bool
) -> None:
    answer = reading.post(read_request([Query(0, NOW, [UP])], accepted))
    assert ("streamed" in answer.headers["content-type"]) == chunked


def compressed(body: bytes) -> bytes:
    return bytes(cramjam.snappy.compress_raw(body))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid snappy"),
        (b"\xff\xff\xff", "not valid snappy"),
        (compressed(b"\x0a\x05"), "not a prometheus.ReadRequest"),
        (read_request([Query(0, 1, [("host", "=~", "(")])]), "error parsing regexp"),
        (compressed(b"\x0a\x07\x1a\x05\x08\x09\x12\x01x"), "type 9"),
        (read_request([], [5]), "accepts only 5"),
    ],
)
def test_a_bad_request_is_a_400_with_a_text(reading: Reading, body: bytes, words: str) -> None:
    answer = reading.post(body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert words in answer.text


def test_other_refusals_are_texts_too(reading: Reading) -> None:
    body = read_request([Query(0, NOW, [UP])])
    assert reading.post(body, token="cave_unknown").status_code == 403
    publisher = reading.service.issue("gilt", "publish")
    answer = reading.post(body, token=publisher)
    assert (answer.status_code, answer.headers["content-type"]) == (
        403,
        "text/plain; charset=utf-8",
    )
    answer = reading.service.call("POST", ROOT, content=body)
    assert answer.status_code == 401
    assert "Basic" in answer.headers["www-authenticate"]
    assert reading.post(b"x" * (2 << 20)).status_code == 413
    assert reading.post(compressed(b"x" * (2 << 20))).status_code == 413
    other = reading.service.call(
        "POST", ROOT, reading.token, headers={"Content-Encoding": "gzip"}, content=body
    )
    assert other.status_code == 415


@pytest.mark.parametrize(
    ("limits", "status", "words"),
    [
        (QueryLimits(series=1), 400, "too many series"),
        (QueryLimits(samples=3), 400, "too many samples"),
        (QueryLimits(memory=100), 400, "too much memory"),
        (QueryLimits(seconds=-1), 503, "timed out"),
    ],
)
def test_a_request_has_the_limits_of_one_query(
    reading: Reading, limits: QueryLimits, status: int, words: str
) -> None:
    handler = reading.service.use_cases.queries.read_series
    handler._limits = limits
    answer = reading.post(read_request(2 * [Query(0, NOW, [UP])]))
    assert (answer.status_code, "retry-after" in answer.headers) == (status, status == 503)
    assert words in answer.text


series = st.lists(
    st.tuples(
        st.integers(-(10**12), 10**15),
        st.one_of(
            st.floats(allow_nan=False),
            st.sampled_from([STALE, float("nan"), 0.0, -0.0, 1.0, 2.0]),
            st.integers(0, 1 << 53).map(float),
        ),
    ),
    min_size=1,
    max_size=300,
    unique_by=lambda sample: sample[0],
).map(sorted)
regular = st.builds(
    lambda start, count, jitter: [
        (start + 15_000 * n + jitter[n % len(jitter)], float(n)) for n in range(count)
    ],
    st.integers(-(10**13), 10**13),
    st.integers(1, 400),
    st.lists(st.integers(0, 14_999), min_size=1, max_size=5),
)


@given(st.lists(st.one_of(series, regular), max_size=5))
def test_every_sample_is_in_both_forms_of_the_answer(
    many: list[list[tuple[int, float]]],
) -> None:
    results = [
        [
            Series(
                {"__name__": "m", "n": str(number)},
                np.array([time for time, _ in samples], np.int64).data,
                np.array([value for _, value in samples], np.float64).data,
            )
            for number, samples in enumerate(many)
        ]
    ]
    expected = [
        Read(
            (("__name__", "m"), ("n", str(number))),
            [(time, bits_of(value)) for time, value in samples],
        )
        for number, samples in enumerate(many)
    ]
    budget = QueryBudget(QueryLimits())
    assert read_response(encoded_samples(results, budget)) == [expected]
    assert chunked_responses(encoded_chunks(results, budget)).get(0, []) == expected
