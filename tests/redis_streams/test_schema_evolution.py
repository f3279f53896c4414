"""A log with mixed versions of an event is read as events of the current version."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from redis import Redis

from adapters.event_format.codec import MetricEventCodec
from adapters.eventsourcing.mapper import OrganizationMapper
from adapters.eventsourcing.organizations import Organizations
from adapters.eventsourcing.topics import EVENT_TYPES
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.settings import settle_partitions
from application.errors import LogUnavailable
from application.event_log.ports import RecordedMetrics, UnreadableMetrics
from application.event_log.versioned_topics import VersionedTopics
from application.projections.folds import metric_names
from domain.events import OrganizationEvent, OrganizationRegistered, TeamCreated
from domain.organization import organization_id
from tests.contracts.metric_log import published
from tests.redis_streams.support import reader_of
from tests.servers import LogServer

NOW = datetime(2014, 10, 24, tzinfo=UTC)
KEYS = MetricKeys("cave")


class TeamCreatedInARegion(OrganizationEvent, frozen=True, kw_only=True):
    """The event that a future release might record for a team."""

    name: str
    region: str


def into_the_first_region(state: dict[str, Any]) -> dict[str, Any]:
    return {**state, "region": "eu-west-1"}


class NextMapper(OrganizationMapper):
    """The mapper of a release whose `organization.team-created` is at its second version."""

    event_types = {**EVENT_TYPES, "organization.team-created": TeamCreatedInARegion}  # noqa: RUF012
    topics = VersionedTopics[dict[str, Any]]()


for name in EVENT_TYPES:
    steps = [into_the_first_region] if name == "organization.team-created" else []
    NextMapper.topics.register(name, *steps)


class NextOrganizations(Organizations):
    name = "organizations"
    env = {  # noqa: RUF012
        **Organizations.env,
        "MAPPER_TOPIC": f"{NextMapper.__module__}:{NextMapper.__qualname__}",
    }


def settings(server: LogServer) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "adapters.redis_streams", "REDIS_URL": server.url}


def stamped(version: int) -> dict[str, Any]:
    return {
        "originator_id": organization_id("gilt"),
        "originator_version": version,
        "timestamp": NOW,
    }


def test_organizations_recorded_by_an_older_release_are_read_like_current_ones(
    server: LogServer,
) -> None:
    registered = OrganizationRegistered(**stamped(1), name="gilt")
    with closing(Organizations(settings(server))) as before:
        before.save_events([registered, TeamCreated(**stamped(2), name="web")])
    with Redis.from_url(server.url) as raw:
        stored = raw.xrange("{cave:organizations}:log")
        with closing(NextOrganizations(settings(server))) as after:
            new = TeamCreatedInARegion(**stamped(3), name="shop", region="us-east-1")
            after.save_events([new])
            old = TeamCreatedInARegion(**stamped(2), name="web", region="eu-west-1")
            assert [r.event for r in after.read(0, 10)] == [registered, old, new]
        assert raw.xrange("{cave:organizations}:log")[:2] == stored
    with (
        closing(Organizations(settings(server))) as before,
        pytest.raises(LogUnavailable, match=r"team-created\.v2.*newer than.*v1"),
    ):
        before.read(0, 10)


def test_metrics_of_several_versions_are_read_and_projected_alike(server: LogServer) -> None:
    def lower_case(fields: Mapping[bytes, bytes]) -> Mapping[bytes, bytes]:
        return {**fields, b"organization": fields[b"organization"].lower()}

    topics = VersionedTopics[Mapping[bytes, bytes]]()
    topics.register("p", lower_case, first=3)

    async def publish() -> None:
        log = RedisMetricLog(server.url, KEYS, 1)
        await log.open()
        await log.append(published("GILT"))
        await log.append(published("gilt"))
        await log.close()

    with Redis.from_url(server.url) as raw:
        settle_partitions(raw, KEYS, 1)
        asyncio.run(publish())
        (_, old), (_, new) = raw.xrange(KEYS.log(0))
        raw.xadd(KEYS.log(0), {**new, b"topic": b"p.v4"})
        current = reader_of(raw, KEYS, 1, MetricEventCodec(topics)).read(0, 0, 10)
        events = [entry for entry in current if isinstance(entry, RecordedMetrics)]
        assert [entry.event for entry in events] == [published("gilt")] * 3
        assert {row.organization for row in metric_names(events)} == {"gilt"}
        assert raw.xrange(KEYS.log(0))[0][1] == old
        *known, unknown = reader_of(raw, KEYS, 1).read(0, 0, 10)
        assert [type(entry) for entry in known] == [RecordedMetrics] * 2
        assert isinstance(unknown, UnreadableMetrics)
        assert "newer than p.v3" in unknown.reason
