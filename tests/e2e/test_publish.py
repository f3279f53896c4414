"""Accepted batches and their answers."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import httpx
import pytest

from tests.e2e.tenant import POINT, TEAM, Tenant, metrics, point


def accepted(response: httpx.Response) -> str:
    """Check the form of a 202 and return its receipt."""
    assert (response.status_code, response.content) == (202, b""), response.text
    assert response.headers["content-length"] == "0"
    assert "content-type" not in response.headers
    receipt: str = response.headers["cave-receipt"]
    return receipt


def test_the_receipt_is_the_events_place_in_the_log(tenant: Tenant) -> None:
    receipts = [accepted(tenant.publish()) for _ in range(3)]
    assert list(tenant.events()) == receipts
    partition, event_id = receipts[0].split("-", 1)
    with tenant.service.log() as log:
        found: Any = log.xrange(f"{{cave:metrics:{partition}}}:log", event_id, event_id)
    assert [entry.decode() for entry, _ in found] == [event_id]


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", "Bearer", "bearer", "bEARER"])
@pytest.mark.parametrize("team", [None, TEAM])
def test_the_organizations_token_publishes_by_either_scheme_in_any_case(
    tenant: Tenant, scheme: str, team: str | None
) -> None:
    credentials = tenant.token
    if scheme.lower() == "basic":
        credentials = b64encode(f"{tenant.token}:".encode()).decode()
    sent = {"Authorization": f"{scheme} {credentials}"}
    receipt = accepted(tenant.publish(team=team, headers=sent))
    assert tenant.events()[receipt].event.team == team


def test_the_basic_user_name_may_be_given_as_curl_does(tenant: Tenant) -> None:
    auth = httpx.BasicAuth(tenant.token, "")
    path = tenant.metrics_path()
    accepted(tenant.client.post(path, auth=auth, json={"metrics": [POINT]}))


def test_the_events_provenance_is_the_tokens_id(tenant: Tenant) -> None:
    issued = tenant.issue("publish", team=TEAM)
    receipt = accepted(tenant.publish(token=issued["token"], team=TEAM))
    event = tenant.events()[receipt].event
    assert (event.organization, event.team, event.token_id) == (tenant.name, TEAM, issued["id"])


@pytest.mark.parametrize(
    "media", ["application/json", "Application/JSON", "application/json; charset=utf-8", None]
)
def test_json_may_be_declared_or_not(tenant: Tenant, media: str | None) -> None:
    sent = {"Authorization": f"Bearer {tenant.token}"}
    if media is not None:
        sent["Content-Type"] = media
    response = tenant.client.post(tenant.metrics_path(), content=metrics(POINT), headers=sent)
    accepted(response)


def test_an_empty_array_is_accepted_and_appends_nothing(tenant: Tenant) -> None:
    response = tenant.publish(metrics())
    assert (response.status_code, response.content) == (202, b"")
    assert response.headers["content-length"] == "0"
    assert "cave-receipt" not in response.headers
    assert tenant.events() == {}


def test_a_body_of_undeclared_length_is_accepted(tenant: Tenant) -> None:
    content = metrics(*[point(value=number) for number in range(500)])
    sent = {"Authorization": f"Bearer {tenant.token}", "Transfer-Encoding": "chunked"}
    parts = (content[start : start + 1000] for start in range(0, len(content), 1000))
    response = tenant.client.post(tenant.metrics_path(), content=parts, headers=sent)
    assert len(tenant.events()[accepted(response)].event.points) == 500


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        (0, 0),
        (1_398_788_625, 1_398_788_625_000),
        (1_398_788_625_123, 1_398_788_625_123),
        (1_398_788_625_123_999, 1_398_788_625_123),
        (1_398_788_625_123_999_999, 1_398_788_625_123),
        (95_617_584_001, 95_617_584_001),
    ],
)
def test_a_timestamp_of_a_finer_unit_is_kept_to_the_millisecond(
    tenant: Tenant, sent: int, milliseconds: int
) -> None:
    receipt = accepted(tenant.publish(metrics(point(timestamp=sent))))
    assert list(tenant.events()[receipt].event.points.timestamps) == [milliseconds]


def test_both_spellings_of_the_name_may_be_in_one_batch(tenant: Tenant) -> None:
    other: dict[str, Any] = {**POINT, "metric": "http.cache.misses"}
    del other["name"]
    receipt = accepted(tenant.publish(metrics(POINT, other)))
    names = list(tenant.events()[receipt].event.points.names)
    assert names == ["http.cache.hits", "http.cache.misses"]


def test_two_points_of_one_series_at_one_time_are_both_kept(tenant: Tenant) -> None:
    receipts = [accepted(tenant.publish(metrics(POINT, POINT))) for _ in range(2)]
    assert [len(tenant.events()[receipt].event.points) for receipt in receipts] == [2, 2]
