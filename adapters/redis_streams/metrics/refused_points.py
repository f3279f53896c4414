"""Refused points in a capped stream per organization, in the cluster slot of its partition."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from redis import Redis

from adapters.redis_streams.clients import DRIVER_ERRORS, Client, on_one_connection
from adapters.redis_streams.metrics.hot_log import translated
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.partitioning import partition_of
from application.organizations.access import Grant
from application.publishing.refusals import Reason, Refusals, RefusedPoint
from application.publishing.refused_points import MAX_REFUSED, KeptRefusal

READING = "the refused points cannot be read"

_log = structlog.get_logger(__name__)


class RedisRefusedPoints:
    """Implements the port RefusedPoints. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    async def record(self, grant: Grant, protocol: str, refused: Refusals) -> None:
        await asyncio.to_thread(self._record, grant, protocol, refused)

    def _record(self, grant: Grant, protocol: str, refused: Refusals) -> None:
        key = self._key(grant.organization)

        def add(server: Redis) -> None:
            with server.pipeline(transaction=True) as pipeline:
                for point in refused.first:
                    pipeline.xadd(key, _fields(grant, protocol, point))
                pipeline.xtrim(key, maxlen=MAX_REFUSED, approximate=False)
                pipeline.execute()

        try:
            on_one_connection(self._client, key, add)
        except DRIVER_ERRORS as error:  # such as a server that is full
            _log.warning(
                "refused points are counted but not kept", points=refused.points, reason=str(error)
            )

    def last(self, organization: str) -> Sequence[KeptRefusal]:
        with translated(READING):
            found: Any = self._client.xrange(self._key(organization))
        return [_kept(entry_id, fields) for entry_id, fields in found]

    def forget(self, organization: str) -> None:
        with translated("the refused points cannot be deleted"):
            self._client.delete(self._key(organization))

    def _key(self, organization: str) -> str:
        return self._keys.refused(partition_of(organization, self._partitions), organization)


def _fields(grant: Grant, protocol: str, point: RefusedPoint) -> dict[Any, Any]:
    fields = {
        "team": grant.team or "",
        "token": grant.token_id,
        "protocol": protocol,
        "place": point.place,
        "reason": point.reason,
        "detail": point.detail,
        "points": str(point.points),
    }
    # What a client sent may have lone surrogates, which UTF-8 has not.
    return {name: value.encode("utf-8", "replace") for name, value in fields.items()}


def _kept(entry_id: bytes, fields: Mapping[bytes, bytes]) -> KeptRefusal:
    found = {name.decode(): value.decode("utf-8", "replace") for name, value in fields.items()}
    return KeptRefusal(
        time=int(entry_id.partition(b"-")[0]),
        team=found["team"] or None,
        token_id=found["token"],
        protocol=found["protocol"],
        point=RefusedPoint(
            found["place"], Reason(found["reason"]), found["detail"], int(found["points"])
        ),
    )
