"""What organizations use, beside the log, in the cluster slot of their partition.

Points are counted in a hash per organization and hour, which expires: the field
`<minute since the epoch>` has the points that were stored, `<minute>:<protocol>:<reason>` those
that were refused. The last uses of tokens are a sorted set per organization: the ids of tokens by
milliseconds since the epoch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from redis import Redis

from adapters.redis_streams.clients import Client, on_one_connection, together
from adapters.redis_streams.metrics.hot_log import translated
from adapters.redis_streams.metrics.keys import MetricKeys
from application.event_log.partitioning import partition_of
from application.publishing.refusals import Reason
from application.usage.ports import MINUTES, MinuteUsage, OwnToken, PointUsage

HOUR = 60
KEPT_HOURS = 2
"""How long an hour's points are kept after their last change, which may be early in the hour."""

MAX_TOGETHER = 200
"""Organizations that are written together, so that the server's other clients need not wait."""

READING = "what organizations used cannot be read"
WRITING = "what organizations used cannot be written"


class RedisUsageStore:
    """Implements the port UsageStore. The caller owns the client and closes it."""

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    def add_points(self, minute: int, points: Mapping[str, PointUsage]) -> None:
        def add(organizations: Sequence[str], server: Redis) -> None:
            with server.pipeline(transaction=True) as pipeline:
                for organization in organizations:
                    key = self._points_key(organization, minute // HOUR)
                    added = points[organization]
                    if added.accepted:
                        pipeline.hincrby(key, str(minute), added.accepted)
                    for (protocol, reason), refused in added.refused.items():
                        pipeline.hincrby(key, f"{minute}:{protocol}:{reason.value}", refused)
                    pipeline.expire(key, timedelta(hours=KEPT_HOURS))
                pipeline.execute()

        self._write(points, add)

    def points(self, organization: str, minute: int) -> Sequence[MinuteUsage]:
        first = minute - MINUTES
        fields: dict[bytes, bytes] = {}
        with translated(READING), self._client.pipeline(transaction=False) as pipeline:
            for hour in range(first // HOUR, minute // HOUR + 1):
                pipeline.hgetall(self._points_key(organization, hour))
            for found in pipeline.execute():
                fields |= found
        accepted: dict[int, int] = {}
        refused: defaultdict[int, dict[tuple[str, Reason], int]] = defaultdict(dict)
        for name, count in fields.items():
            at, *kind = name.decode().split(":")
            if kind:
                protocol, reason = kind
                refused[int(at)][protocol, Reason(reason)] = int(count)
            else:
                accepted[int(at)] = int(count)
        return [
            MinuteUsage(at, PointUsage(accepted.get(at, 0), refused.get(at, {})))
            for at in sorted(accepted.keys() | refused.keys())
            if first <= at <= minute
        ]

    def set_token_uses(self, uses: Mapping[OwnToken, int]) -> None:
        by_organization: defaultdict[str, dict[str, int]] = defaultdict(dict)
        for (organization, token_id), at in uses.items():
            by_organization[organization][token_id] = at

        def set_(organizations: Sequence[str], server: Redis) -> None:
            with server.pipeline(transaction=True) as pipeline:
                for organization in organizations:
                    times = by_organization[organization]
                    pipeline.zadd(self._uses_key(organization), times, gt=True)
                pipeline.execute()

        self._write(by_organization, set_)

    def token_uses(self, organization: str) -> Mapping[str, int]:
        with translated(READING):
            found: Any = self._client.zrange(
                self._uses_key(organization), 0, -1, withscores=True, score_cast_func=int
            )
        return {token_id.decode(): at for token_id, at in found}

    def forget_tokens(self, organization: str, token_ids: Collection[str]) -> None:
        if token_ids:
            with translated(WRITING):
                self._client.zrem(self._uses_key(organization), *token_ids)

    def forget(self, organization: str) -> None:
        with translated(WRITING):
            now: Any = self._client.time()
            hour = now[0] // (HOUR * 60)
            # One more at both ends: the clocks of the hosts may differ from the server's.
            hours = range(hour - KEPT_HOURS - 1, hour + 2)
            self._client.delete(
                self._uses_key(organization), *(self._points_key(organization, h) for h in hours)
            )

    def _write(
        self, organizations: Iterable[str], write: Callable[[Sequence[str], Redis], None]
    ) -> None:
        """Call `write` with organizations and the server that has them, until it has had all."""
        with translated(WRITING):
            for group in together(self._client, organizations, self._uses_key, MAX_TOGETHER):
                on_one_connection(self._client, self._uses_key(group[0]), partial(write, group))

    def _points_key(self, organization: str, hour: int) -> str:
        return self._keys.points(self._partition(organization), hour, organization)

    def _uses_key(self, organization: str) -> str:
        return self._keys.token_uses(self._partition(organization), organization)

    def _partition(self, organization: str) -> int:
        return partition_of(organization, self._partitions)
