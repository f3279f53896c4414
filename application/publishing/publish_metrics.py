"""Use case: publish a batch of metric points."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock
from application.organizations.access import Grant
from application.publishing.ports import Appended, Idempotency, MetricLog
from application.publishing.quota import PointQuota
from domain.events import MetricsPublished
from domain.metric_point import PointBatch


class PublishMetrics(Struct, frozen=True):
    """The command; `grant` is for the scope `publish`. An empty batch appends nothing."""

    grant: Grant
    points: PointBatch
    idempotency: Idempotency | None = None


class PublishMetricsHandler:
    def __init__(
        self,
        log: MetricLog,
        clock: Clock,
        *,
        max_future_ms: int,
        quota: PointQuota | None = None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._max_future_ms = max_future_ms
        self._quota = quota

    def latest(self) -> int:
        """Return the last timestamp accepted now, in milliseconds since the epoch."""
        return int(self._clock().timestamp() * 1000) + self._max_future_ms

    async def __call__(self, command: PublishMetrics) -> Appended | None:
        """Append the batch as one event; None for an empty one. Returns once it is durable.

        Raises QuotaExceeded, IdempotencyConflict, and what MetricLog.append raises.
        """
        points = command.points
        if not len(points):
            return None
        grant = command.grant
        event = MetricsPublished(
            organization=grant.organization,
            team=grant.team,
            token_id=grant.token_id,
            points=points,
        )
        if self._quota is None:
            return await self._log.append(event, command.idempotency)
        self._quota.charge(grant.organization, len(points))
        stored = False
        try:
            appended = await self._log.append(event, command.idempotency)
            stored = not appended.replayed
        finally:
            if not stored:
                self._quota.give_back(grant.organization, len(points))
        return appended
