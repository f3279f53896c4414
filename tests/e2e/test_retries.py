"""Safe retries: one key and one body are one event, whatever gets lost."""

from __future__ import annotations

import gzip
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import httpx
import pytest

from tests.e2e.tenant import POINT, TEAM, Tenant, metrics, point
from tests.e2e.test_connections import connected, publish
from tests.http.conftest import problem_of


def keyed(key: str, **more: str) -> dict[str, str]:
    return {"Idempotency-Key": key, **more}


def test_the_same_key_and_body_answer_with_the_first_receipt(tenant: Tenant) -> None:
    first = tenant.publish(headers=keyed("a"))
    assert first.status_code == 202
    assert "idempotent-replayed" not in first.headers
    for _ in range(2):
        again = tenant.publish(headers=keyed("a"))
        assert (again.status_code, again.content) == (202, b"")
        assert again.headers["cave-receipt"] == first.headers["cave-receipt"]
        assert again.headers["idempotent-replayed"] == "true"
    assert list(tenant.events()) == [first.headers["cave-receipt"]]


def test_the_same_body_under_other_keys_or_none_is_stored_each_time(tenant: Tenant) -> None:
    for headers in (keyed("a"), keyed("b"), {}, {}):
        assert "idempotent-replayed" not in tenant.publish(headers=headers).headers
    assert len(tenant.events()) == 4


def test_the_same_key_with_another_body_is_refused(tenant: Tenant) -> None:
    assert tenant.publish(headers=keyed("a")).status_code == 202
    other = metrics(point(value=0))
    for body in (other, metrics()):
        tenant.refused(422, "idempotency-conflict", body, headers=keyed("a"))
    tenant.refused(422, "idempotency-conflict", headers=keyed("a"), team=TEAM)
    assert tenant.publish(headers=keyed("a")).headers["idempotent-replayed"] == "true"


def test_a_body_is_the_same_however_it_was_compressed(tenant: Tenant) -> None:
    tenant.publish(headers=keyed("a"))
    packed = gzip.compress(metrics(POINT))
    again = tenant.publish(packed, headers=keyed("a", **{"Content-Encoding": "gzip"}))
    assert again.headers["idempotent-replayed"] == "true"


def test_a_refused_batch_does_not_use_up_its_key(tenant: Tenant) -> None:
    tenant.refused(400, "invalid-metrics", metrics(point(value="x")), headers=keyed("a"))
    assert "idempotent-replayed" not in tenant.publish(headers=keyed("a")).headers


def test_each_organization_has_its_own_keys(tenant: Tenant) -> None:
    other = Tenant(tenant.service, tenant.client)
    responses = [owner.publish(headers=keyed("a")) for owner in (tenant, other)]
    assert all("idempotent-replayed" not in response.headers for response in responses)
    assert (len(tenant.events()), len(other.events())) == (1, 1)


@pytest.mark.parametrize("key", ["!", "~" * 255, '5f0c"\\{}'])
def test_a_key_of_visible_ascii_is_accepted(tenant: Tenant, key: str) -> None:
    assert tenant.publish(headers=keyed(key)).status_code == 202
    assert tenant.publish(headers=keyed(key)).headers["idempotent-replayed"] == "true"


def test_whitespace_around_a_key_is_no_part_of_it(tenant: Tenant) -> None:
    with connected(tenant.service) as connection:
        for number, line in enumerate(["a", "a ", "  a\t", "\t a \t "]):
            connection.send(publish(tenant, 1.0, f"Idempotency-Key: {line}"))
            answer = connection.answer()
            assert answer.status == 202
            assert (answer.headers["idempotent-replayed"] == "true") == (number > 0)
    assert len(tenant.events()) == 1


@pytest.mark.parametrize("key", ["", "~" * 256, "a b", "é", "a\tb"])
def test_any_other_key_is_refused(tenant: Tenant, key: str) -> None:
    sent = {b"Idempotency-Key": key.encode("latin-1")}
    path = tenant.metrics_path()
    token = {b"Authorization": f"Bearer {tenant.token}".encode()}
    response = tenant.client.post(path, content=metrics(POINT), headers=token | sent)
    problem = problem_of(response, 400, "invalid-argument")
    assert "idempotency key" in problem["detail"]
    assert tenant.events() == {}


def test_of_many_simultaneous_attempts_one_is_stored(tenant: Tenant) -> None:
    gate = Barrier(16)

    def publish(_: int) -> httpx.Response:
        gate.wait()
        return tenant.publish(headers=keyed("a"))

    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(publish, range(16)))
    assert {response.status_code for response in responses} == {202}
    assert len({response.headers["cave-receipt"] for response in responses}) == 1
    assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
    assert len(tenant.events()) == 1
