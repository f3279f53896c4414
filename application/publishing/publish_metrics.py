"""Use case: publish a batch of metric points."""

from __future__ import annotations

from msgspec import Struct

from application.clock import Clock, milliseconds
from application.organizations.access import Grant
from application.publishing.idempotency import idempotency_of
from application.publishing.limits import check_count
from application.publishing.ports import Appended, Idempotency, MetricLog, PointFormat
from application.publishing.quota import PointQuota
from domain.events import MetricsPublished


class PublishMetrics(Struct, frozen=True):
    """The command: a body, as sent but decompressed, and its format.

    `grant` is for the scope `publish`; `key` is the client's idempotency key.
    """

    grant: Grant
    format: PointFormat
    body: bytes
    key: str | None = None


class Published(Struct, frozen=True):
    """The number of points, and their place in the log.

    `appended` is None for an empty batch, which is not appended.
    """

    points: int
    appended: Appended | None


class PublishMetricsHandler:
    """Decodes a batch, checks the quota, and appends the event.

    `max_future_ms` is how far ahead of the clock a point's timestamp may be, `max_points` the
    maximum number of points per batch.
    """

    def __init__(
        self,
        log: MetricLog,
        clock: Clock,
        *,
        max_future_ms: int,
        max_points: int,
        quota: PointQuota | None = None,
    ) -> None:
        self._log = log
        self._clock = clock
        self._max_future_ms = max_future_ms
        self._max_points = max_points
        self._quota = quota

    async def __call__(self, command: PublishMetrics) -> Published:
        """Append the batch as one event and return once it is durable.

        Raises InvalidArgument for an invalid key, QuotaExceeded, and what PointFormat.decode and
        MetricLog.append raise. Nothing was appended then, except perhaps after OutcomeUnknown.
        """
        grant, body = command.grant, command.body
        idempotency = None
        if command.key is not None:
            idempotency = idempotency_of(command.key, grant.team, body)
        latest = milliseconds(self._clock) + self._max_future_ms
        batch = await command.format.decode(body, latest=latest, max_points=self._max_points)
        points = len(batch)
        check_count(points, self._max_points)
        if not points:
            return Published(0, None)
        event = MetricsPublished(
            organization=grant.organization,
            team=grant.team,
            token_id=grant.token_id,
            points=batch,
        )
        if self._quota is None:
            return Published(points, await self._log.append(event, idempotency))
        return Published(points, await self._append_within(self._quota, event, idempotency))

    async def _append_within(
        self, quota: PointQuota, event: MetricsPublished, idempotency: Idempotency | None
    ) -> Appended:
        """Append the event if the quota allows it; charge it only if it was stored."""
        points = len(event.points)
        quota.charge(event.organization, points)
        stored = False
        try:
            appended = await self._log.append(event, idempotency)
            stored = not appended.replayed
        finally:
            if not stored:
                quota.give_back(event.organization, points)
        return appended
