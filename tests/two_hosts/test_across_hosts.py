"""What was done at one host holds at the other."""

from __future__ import annotations

import itertools
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e.tenant import POINT, Tenant, metrics, point
from tests.hosts import Hosts
from tests.service import Service
from tests.waiting import wait_until

PATIENCE = 90.0
TIME = 1_398_788_625


@pytest.fixture(params=[False, True], ids=["one to two", "two to one"])
def pair(request: pytest.FixtureRequest, hosts: Hosts) -> tuple[Service, Service]:
    """A host that is written to, and the other one."""
    one, two = hosts.services
    return (two, one) if request.param else (one, two)


@pytest.fixture
def reader(tenant: Tenant) -> str:
    return str(tenant.issue("publish", "read", "admin")["token"])


def published(host: Service, path: str, token: str, *points: dict[str, Any]) -> str:
    """Publish at a host and return the receipt."""
    status, headers, answer = host.answer_with_headers("POST", path, {"metrics": points}, token)
    assert status == 202, answer
    return headers["cave-receipt"]


def found(host: Service, path: str, token: str, **parameters: object) -> Any:
    """Return the answer to a query, repeated while the batch of its receipt cannot be read yet."""
    answers: list[Any] = []

    def is_answered() -> bool:
        status, answer = host.answer("GET", f"{path}?{urlencode(parameters)}", token=token)
        assert status in (200, 503), answer
        answers.append(answer)
        return status == 200

    wait_until(is_answered, PATIENCE)
    return answers[-1]


def test_a_batch_can_be_read_at_the_other_host_by_its_receipt(
    pair: tuple[Service, Service], tenant: Tenant, reader: str
) -> None:
    one, two = pair
    path = tenant.metrics_path()
    for number in range(3):
        receipt = published(one, path, reader, point(value=number, timestamp=TIME + number))
        samples = found(two, path, reader, metric=POINT["name"], receipt=receipt)["metrics"]
        assert [sample["value"] for sample in samples] == [*range(number + 1)]


def test_both_hosts_give_the_same_answers(hosts: Hosts, tenant: Tenant, reader: str) -> None:
    """Points, aggregates, names, PromQL, exports and an organization's health."""
    turns = itertools.cycle(hosts.services)
    receipt = ""
    for n in range(20):
        sent = point(name="m", value=n / 7, timestamp=TIME + 15 * n, tags={"host": f"h{n % 2}"})
        receipt = published(next(turns), tenant.metrics_path(), reader, sent)
    for host in hosts.services:
        found(host, tenant.metrics_path(), reader, metric="m", receipt=receipt)
        wait_until(lambda host=host: exported(host, tenant.name) >= 20, PATIENCE)  # type: ignore[misc]
    prometheus = f"{tenant.path}/prometheus/api/v1"
    during: dict[str, object] = {"start": TIME, "end": TIME + 300}
    questions: list[tuple[str, dict[str, object]]] = [
        (tenant.metrics_path(), {"metric": "m"}),
        (tenant.metrics_path(), {"metric": "m", "aggregator": "p99", "period": "1m"}),
        (tenant.metrics_path(), {"metric": "m", "aggregator": "stddev", "period": "1h"}),
        (f"{tenant.path}/metric-names", {}),
        (f"{prometheus}/query_range", {"query": "sum(rate(m[1m]))", "step": 15, **during}),
        (f"{prometheus}/query", {"query": "m", "time": TIME + 290}),
        (f"{prometheus}/series", {"match[]": "m", **during}),
        (f"{prometheus}/labels", during),
        (f"{prometheus}/label/host/values", during),
    ]
    for path, parameters in questions:
        one, two = (found(host, path, reader, **parameters) for host in hosts.services)
        assert one == two
        assert one.get("data", one) if isinstance(one, dict) else one
    one, two = (found(host, f"{tenant.path}/metric-names", reader) for host in hosts.services)
    assert one == [{"name": "m", "tags": ["host"]}]


def exported(host: Service, organization: str) -> int:
    return len(host.cave("export", organization, "--format", "jsonl").splitlines())


def test_a_token_made_at_one_host_works_at_the_other_until_it_is_revoked(
    pair: tuple[Service, Service], tenant: Tenant
) -> None:
    one, two = pair
    issued = one.ask("POST", f"{tenant.path}/tokens", {"scopes": ["publish"]}, tenant.token)
    body = {"metrics": [POINT]}

    def status() -> int:
        return two.answer("POST", tenant.metrics_path(), body, issued["token"])[0]

    wait_until(lambda: status() == 202)
    one.ask("DELETE", f"{tenant.path}/tokens/{issued['id']}", token=tenant.token)
    wait_until(lambda: status() == 403)


def test_a_team_made_at_one_host_is_known_at_the_other(
    pair: tuple[Service, Service], tenant: Tenant
) -> None:
    one, two = pair
    one.ask("POST", f"{tenant.path}/teams", {"name": "ads"}, tenant.token)
    body = {"metrics": [POINT]}
    wait_until(lambda: two.answer("POST", tenant.metrics_path("ads"), body, tenant.token)[0] == 202)


def test_a_batch_repeated_at_the_other_host_is_stored_once(
    pair: tuple[Service, Service], tenant: Tenant
) -> None:
    key = {"Idempotency-Key": "a"}
    answers = [
        host.answer_with_headers(
            "POST", tenant.metrics_path(), {"metrics": [POINT]}, tenant.token, key
        )
        for host in pair
    ]
    assert [status for status, _, _ in answers] == [202, 202]
    (first, second) = (headers for _, headers, _ in answers)
    assert first["cave-receipt"] == second["cave-receipt"]
    assert second["idempotent-replayed"] == "true"
    assert len(tenant.events()) == 1


def test_limits_hold_at_both_hosts_until_they_are_reset(hosts: Hosts, tenant: Tenant) -> None:
    body = {"metrics": [POINT] * 100}

    def is_refused(host: Service) -> bool:
        return host.answer("POST", tenant.metrics_path(), body, tenant.token)[0] == 429

    limits = ("org", "limits", tenant.name)
    hosts.services[0].cave(*limits, "--points-per-second", "0.001", "--burst", "500")
    for host in hosts.services:
        wait_until(lambda host=host: is_refused(host))  # type: ignore[misc]
    hosts.services[1].cave(*limits, "--reset")
    for host in hosts.services:
        wait_until(lambda host=host: not is_refused(host))  # type: ignore[misc]


def test_points_refused_at_one_host_are_shown_by_the_other(
    pair: tuple[Service, Service], tenant: Tenant, reader: str
) -> None:
    one, two = pair
    body = {"metrics": [POINT, point(name="!")]}
    assert one.ask("POST", f"{tenant.metrics_path()}?partial=true", body, reader)["refused"] == 1
    shown = found(two, f"{tenant.path}/refused", reader)
    assert "!" in json.dumps(shown)


def test_each_host_knows_that_all_projections_have_a_writer(hosts: Hosts) -> None:
    def states(host: Service) -> dict[str, str]:
        ready = json.loads(host.text("/health/ready"))
        assert ready["status"] == "ready"
        return dict(ready["projections"])

    def has_writers() -> bool:
        one, two = map(states, hosts.services)
        # Neither has any while it cannot look.
        return one.keys() == two.keys() != set() and all(
            "live" in (one[name], two[name]) for name in one
        )

    wait_until(has_writers, PATIENCE)


def test_metadata_sent_to_one_host_are_shown_by_the_other(
    pair: tuple[Service, Service], tenant: Tenant, reader: str
) -> None:
    one, two = pair
    sent = tenant.publish(metrics(point(name="hits_total")))
    assert sent.status_code == 202
    answer = found(
        two, tenant.metrics_path(), reader, metric="hits_total",
        receipt=sent.headers["cave-receipt"],
    )  # fmt: skip
    assert answer["metrics"]
    assert found(one, f"{tenant.path}/metric-names", reader, metadata="true")
