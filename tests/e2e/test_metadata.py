"""Descriptions of metrics, from the log to the answers and commands of a real service."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import cramjam
import httpx
from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from domain.events import MetricsDescribed
from domain.metric_description import MetricDescription, MetricType, Temporality
from tests.e2e.tenant import TEAM, Tenant, metrics, point
from tests.point_formats.remote_write.requests import metadata_1, named, request_1, sample, series_1
from tests.service import Service
from tests.waiting import wait_until

HITS = MetricDescription("hits", MetricType.COUNTER, "1", "Hits.", Temporality.CUMULATIVE)
KNOWN = {"type": "counter", "unit": "1", "help": "Hits.", "temporality": "cumulative"}


def describe(tenant: Tenant, *descriptions: MetricDescription, team: str | None = None) -> str:
    """Append descriptions to the service's log, as a worker does; return the receipt."""
    url, keys = tenant.service.data_dir.url, MetricKeys("cave")
    with Redis.from_url(url) as client:
        partitions = settle_partitions(client, keys, None)
    event = MetricsDescribed(
        organization=tenant.name, team=team, token_id="t1", descriptions=descriptions
    )

    async def append() -> str:
        log = RedisMetricLog(url, keys, partitions)
        await log.open()
        try:
            return str((await log.append(event)).receipt)
        finally:
            await log.close()

    return asyncio.run(append())


class Reader:
    """Reads a tenant's metric names with metadata."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._token: str = tenant.issue("read")["token"]

    def __call__(self, team: str | None = None) -> list[dict[str, Any]]:
        """Return the answer without the tags; nothing while the projection is not built yet."""
        path = tenant_path(self._tenant, team) + "/metric-names?metadata=true"
        found: tuple[int, Any] = self._tenant.service.answer("GET", path, token=self._token)
        status, answer = found
        if status != 200:
            return []
        return [{k: v for k, v in known.items() if k != "tags"} for known in answer]


def tenant_path(tenant: Tenant, team: str | None) -> str:
    return tenant.path if team is None else f"{tenant.path}/teams/{team}"


def test_the_last_description_is_shown_with_the_name_and_survives_a_rebuild(
    tenant: Tenant, service: Service
) -> None:
    names = Reader(tenant)
    for team in (None, TEAM):
        sent = metrics(point(name="hits"), point(name="plain"))
        assert tenant.publish(sent, team=team).status_code == 202
    describe(tenant, MetricDescription("hits", help="An older text."))
    receipt = describe(tenant, HITS)
    describe(tenant, MetricDescription("hits", help="The team's."), team=TEAM)
    of_organization = [{"name": "hits", **KNOWN}, {"name": "plain"}]
    of_team = [{"name": "hits", "help": "The team's."}, {"name": "plain"}]
    wait_until(lambda: names() == of_organization and names(TEAM) == of_team)

    shown = json.loads(service.cave("events", "show", receipt, "--json"))
    assert shown["descriptions"] == [{"name": "hits", **KNOWN}]
    assert json.loads(service.cave("verify", "metric_metadata", "--json"))["agrees"]
    service.cave("replay", "metric_metadata")
    assert (names(), names(TEAM)) == (of_organization, of_team)
    describe(tenant, MetricDescription("hits"))
    wait_until(lambda: names()[:1] == [{"name": "hits"}])


def test_metadata_sent_by_remote_write_are_recorded_once(tenant: Tenant) -> None:
    names, before = Reader(tenant), len(batches_and_descriptions(tenant))
    body = request_1(
        series_1(named("hits_total"), sample(time=1_398_788_625_000)),
        metadata=[metadata_1(1, "hits_total", "Hits.", "1")],
    )
    only_metadata = request_1(metadata=[metadata_1(2, "hits_total", "Not what it was.")])
    # One connection, and so one worker: another one would not know yet what this one has recorded.
    with httpx.Client(base_url=tenant.service.url, timeout=30) as agent:
        for content, receipts in ((body, True), (only_metadata, True), (only_metadata, False)):
            response = agent.post(
                f"{tenant.path}/prometheus/api/v1/write",
                content=bytes(cramjam.snappy.compress_raw(content)),
                headers={
                    "Authorization": f"Bearer {tenant.token}",
                    "Content-Type": "application/x-protobuf",
                    "Content-Encoding": "snappy",
                },
            )
            assert response.status_code == 204, tenant.service.errors()[-4000:]
            assert ("cave-receipt" in response.headers) is receipts
    wait_until(
        lambda: names() == [{"name": "hits_total", "type": "gauge", "help": "Not what it was."}]
    )
    assert len(batches_and_descriptions(tenant)) == before + 3


def batches_and_descriptions(tenant: Tenant) -> list[str]:
    """Return the receipts of all events of the organization."""
    lines = tenant.service.cave(
        "events", "tail", "--org", tenant.name, "--from-start", "--no-follow", "--json"
    )
    return [json.loads(line)["receipt"] for line in lines.splitlines()]
