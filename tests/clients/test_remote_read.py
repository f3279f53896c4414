"""A Prometheus without samples of its own answers from those that it reads from the service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.conftest import takes_long
from tests.clients.processes import StartClient
from tests.clients.reading import PromqlApi, ReadableAccount, alike, values_in
from tests.debian import program
from tests.http.prometheus.read_wire import (
    Query,
    Read,
    chunked_responses,
    read_request,
    read_response,
)
from tests.promql.compare import expressions_of
from tests.promql.comparison import SHIFT
from tests.promql.demo import demo_series
from tests.promql.prometheus import prometheus_with
from tests.promql.samples import MINUTE, START
from tests.servers import free_port
from tests.waiting import wait_until

PROMETHEUS = program("prometheus")
EXPRESSIONS = expressions_of(Path(__file__).parents[1] / "promql" / "expressions.txt")
BY_EACH_KIND = (
    "demo_requests_total",
    'rate(demo_requests_total{status!="500"}[5m])',
    'sum by (path) (rate(demo_requests_total{instance=~"i.*"}[5m]))',
    'demo_temperature_celsius{room!~"attic|hall"}',
    "histogram_quantile(0.9, sum by (le) (rate(demo_latency_seconds_bucket[10m])))",
    "demo_disk_free_bytes / demo_disk_size_bytes",
    "demo_temperature_celsius - demo_temperature_celsius offset 1h",
    "max_over_time(demo_temperature_celsius[30m:5m])",
    '{__name__=~"demo_disk_.*"}',
    "demo_room_info",
    "absent(nonexistent)",
    "count(changes(demo_cpu_seconds_total[10m]) > 0)",
)

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None, reason="prometheus is missing; `make clients` fetches it"
)


@pytest.fixture
def prometheus(
    readable: ReadableAccount, start_client: StartClient, tmp_path: Path
) -> Iterator[PromqlApi]:
    config, port = tmp_path / "prometheus.yml", free_port()
    config.write_text(readable.config("prometheus-remote-read.yml"))
    assert PROMETHEUS
    process = start_client(
        PROMETHEUS,
        f"--config.file={config}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    address = f"http://127.0.0.1:{port}"
    wait_until(lambda: process.runs() and _is_ready(address))
    yield PromqlApi(address)
    assert "remote_read" not in process.errors()


def _is_ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready").is_success
    except httpx.TransportError:
        return False


def compare(readable: ReadableAccount, prometheus: PromqlApi, expression: str) -> None:
    """Check that both answer the same, at one time and over a range; or that both refuse."""
    service, last = readable.api(), readable.end
    at = {"time": (last - 20 * MINUTE + SHIFT) / 1000}
    over = {
        "start": (last - 90 * MINUTE + SHIFT) / 1000,
        "end": (last - 10 * MINUTE + SHIFT) / 1000,
        "step": 60,
    }
    for path, times in (("query", at), ("query_range", over)):
        ours = service.answer(path, query=expression, **times)
        theirs = prometheus.answer(path, query=expression, **times)
        assert ours["status"] == theirs["status"], (expression, ours, theirs)
        if ours["status"] == "error":
            assert ours["errorType"] == theirs["errorType"], (expression, ours, theirs)
        elif ours["data"]["resultType"] == "string":
            assert ours == theirs
        else:
            assert not theirs.get("warnings"), theirs
            assert alike(values_in(ours["data"]), values_in(theirs["data"])), (path, expression)


def test_both_answer_alike(readable: ReadableAccount, prometheus: PromqlApi) -> None:
    for expression in BY_EACH_KIND:
        compare(readable, prometheus, expression)


def test_labels_and_series(readable: ReadableAccount, prometheus: PromqlApi) -> None:
    """Prometheus asks for no labels by remote read, and for series with a selector."""
    service, last = readable.api(), readable.end // 1000
    found = [
        api.ask("series", **{"match[]": "demo_requests_total", "start": last - 3600, "end": last})
        for api in (service, prometheus)
    ]
    assert sorted(map(repr, map(sorted, map(dict.items, found[0])))) == sorted(
        map(repr, map(sorted, map(dict.items, found[1])))
    )


@takes_long
@pytest.mark.timeout(0)
def test_all_expressions_are_answered_alike(
    readable: ReadableAccount, prometheus: PromqlApi
) -> None:
    for expression in EXPRESSIONS:
        if "first_over_time" not in expression and "mad_over_time" not in expression:
            compare(readable, prometheus, expression)


def test_the_answers_have_the_form_of_a_real_prometheus(
    readable: ReadableAccount, tmp_path: Path
) -> None:
    """One with samples of its own is asked the same, which tests the decoder here as well."""

    def ask(url: str, token: str, start: int, *accepted: int) -> httpx.Response:
        """Ask for two hours from `start`."""
        queries = [
            Query(start, start + 120 * MINUTE, [("__name__", "=", "demo_requests_total")]),
            Query(start, start + 120 * MINUTE, [("__name__", "=", "none")]),
        ]
        answer = httpx.post(
            f"{url}/api/v1/read",
            content=read_request(queries, accepted),
            headers={"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"},
            auth=(token, ""),
        )
        assert answer.status_code == 200, answer.text
        return answer

    later = readable.later
    with prometheus_with(demo_series(), tmp_path) as other:
        theirs, theirs_chunked = (ask(other._address, "", START, form) for form in (0, 1))
    url, token = readable.url("prometheus"), readable.token
    ours, ours_chunked = (ask(url, token, START + later, form) for form in (0, 1))
    for header in ("content-type", "content-encoding"):
        assert ours.headers.get(header) == theirs.headers.get(header)
        assert ours_chunked.headers.get(header) == theirs_chunked.headers.get(header)
    found, none = read_response(theirs.content)
    assert (len(found), none) == (12, [])
    moved = [
        Read(one.labels, [(time + later, bits) for time, bits in one.samples]) for one in found
    ]
    assert read_response(ours.content) == [moved, []]
    # The chunks of a Prometheus have what is in the same chunk before and after the range as well.
    for one, whole in zip(found, chunked_responses(theirs_chunked.content)[0], strict=True):
        assert one.labels == whole.labels
        first, last = one.samples[0][0], one.samples[-1][0]
        assert [sample for sample in whole.samples if first <= sample[0] <= last] == one.samples
    assert chunked_responses(ours_chunked.content) == {0: moved}
