"""Use case: publish a batch of metric points."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from application.clock import Clock, milliseconds
from application.errors import LogError
from application.organizations.access import Grant
from application.publishing.describe_metrics import DescribeMetricsHandler
from application.publishing.idempotency import body_idempotency, idempotency_of
from application.publishing.limits import check_count
from application.publishing.ports import (
    Appended,
    BodyTerms,
    Decoded,
    Idempotency,
    MetricLog,
    PointFormat,
)
from application.publishing.quota import PointQuota
from application.publishing.refusals import Refusals
from application.publishing.refused_points import RefusedPoints
from application.publishing.series_limit import SeriesLimit
from application.usage.counter import UsageCounter
from domain.events import MetricsPublished
from domain.limits import Rate


class PublishMetrics(Struct, frozen=True):
    """The command: a body, as sent but decompressed, and its format.

    `grant` is for the scope `publish`; `key` is the client's idempotency key. `protocol` names the
    protocol among refused points, `parameters` are those of the URL's query. `digest` is a
    SHA-256 of the body as sent, and of what else says what its points are, for a format whose
    clients repeat bodies without a key.
    """

    grant: Grant
    format: PointFormat
    body: bytes
    key: str | None = None
    protocol: str = "json"
    parameters: Mapping[str, str] = {}
    digest: bytes | None = None


class Published(Struct, frozen=True):
    """The number of points stored, and their place in the log.

    Without points, `appended` is the place of the descriptions of metrics that were new; it is None
    if there are neither, since an empty batch is not appended. `refused` has the
    points that were not stored, None if all were; `sent` is as the format counts (see Decoded).
    """

    points: int
    appended: Appended | None
    refused: Refusals | None = None
    sent: Mapping[str, int] = {}


class _Batch(Struct, frozen=True):
    """A body that is to be appended within limits, and the event with its points."""

    command: PublishMetrics
    event: MetricsPublished
    decoded: Decoded
    idempotency: Idempotency | None


class PublishMetricsHandler:
    """Decodes a batch, checks the limits, and appends the event; descriptions of metrics before it.

    `max_future_ms` is how far ahead of the clock a point's timestamp may be, `max_points` the
    maximum number of points per batch. `refused_points` keeps what is refused.
    """

    def __init__(
        self,
        log: MetricLog,
        refused_points: RefusedPoints,
        describe: DescribeMetricsHandler,
        usage: UsageCounter,
        clock: Clock,
        *,
        max_future_ms: int,
        max_points: int,
        quota: PointQuota,
        series: SeriesLimit,
    ) -> None:
        self._log = log
        self._refused_points = refused_points
        self._describe = describe
        self._usage = usage
        self._clock = clock
        self._max_future_ms = max_future_ms
        self._max_points = max_points
        self._quota = quota
        self._series = series

    async def __call__(self, command: PublishMetrics) -> Published:
        """Append the good points as one event, and return once it is durable.

        Descriptions of metrics cost no quota, and do not refuse points: if they cannot be appended
        before points, they are left out, as clients send them again.

        Raises InvalidArgument for an invalid key, QuotaExceeded, SeriesLimitExceeded, and what
        PointFormat.decode, MetricLog.append and MetricLog.recall raise. Nothing was appended then,
        except perhaps after OutcomeUnknown.
        """
        grant, body = command.grant, command.body
        idempotency = None
        if command.key is not None:
            idempotency = idempotency_of(command.key, grant.team, body)
        now = milliseconds(self._clock)
        terms = BodyTerms(now + self._max_future_ms, now, self._max_points, command.parameters)
        decoded = await command.format.decode(body, terms)
        points, refused = len(decoded.points), decoded.refused
        check_count(points + (refused.points if refused else 0), self._max_points)
        if idempotency is None and command.digest is not None and decoded.timed:
            idempotency = body_idempotency(command.digest, command.protocol, grant.team)
        appended = await self._described(grant, decoded)
        if command.key is not None and idempotency is not None and not (points or refused):
            # Nothing is appended, but the key may have been used with another body.
            await self._log.recall(grant.organization, idempotency)
        if points:
            event = MetricsPublished(
                organization=grant.organization,
                team=grant.team,
                token_id=grant.token_id,
                points=decoded.points,
            )
            rate = self._quota.rate(grant.organization)
            series = self._series.limit_of(grant.organization)
            if rate is None and series is None:
                appended = await self._log.append(event, idempotency)
            else:
                batch = _Batch(command, event, decoded, idempotency)
                decoded, stored = await self._append_within(rate, series, batch)
                appended = stored or appended
                points, refused = len(decoded.points), decoded.refused
        replayed = appended is not None and appended.replayed
        if points and not replayed:
            self._usage.accepted(grant.organization, points)
        if refused and not replayed:
            self._usage.refused(grant.organization, command.protocol, refused)
            await self._refused_points.record(grant, command.protocol, refused)
        return Published(points, appended, refused, decoded.sent)

    async def _described(self, grant: Grant, decoded: Decoded) -> Appended | None:
        """Record the descriptions that are new; raise an error only if there is nothing else."""
        if not decoded.descriptions:
            return None
        try:
            return await self._describe(grant, decoded.descriptions)
        except LogError:
            if decoded.points:
                return None
            raise

    async def _append_within(
        self, rate: Rate | None, series: int | None, batch: _Batch
    ) -> tuple[Decoded, Appended | None]:
        """Append what the limits allow; charge the quota only for what was stored.

        Returns the body as far as it was accepted.
        """
        organization, charged = batch.event.organization, len(batch.event.points)
        if rate is not None:
            await self._quota.charge(organization, charged, rate)
        stored = 0
        try:
            if series is None:
                decoded = batch.decoded
                appended: Appended | None = await self._log.append(batch.event, batch.idempotency)
            else:
                decoded, appended = await self._append_series(series, batch)
            if appended is not None and not appended.replayed:
                stored = len(decoded.points)
        finally:
            if rate is not None and stored < charged:
                self._quota.give_back(organization, charged - stored)
        return decoded, appended

    async def _append_series(self, limit: int, batch: _Batch) -> tuple[Decoded, Appended | None]:
        """Append the points of series that have room, or if the format says so all or none."""
        event, decoded, idempotency = batch.event, batch.decoded, batch.idempotency
        keeps_rest = batch.command.format.keeps_the_rest(batch.command.parameters)
        refused = await self._series.admit(event, limit, whole=not keeps_rest)
        if refused is None:
            return decoded, await self._log.append(event, idempotency)
        rest = refused.removed_from(decoded) if keeps_rest else None
        if rest is not None and rest.points:
            return rest, await self._log.append(replace(event, points=rest.points), idempotency)
        if idempotency is not None:
            # It may have been stored while there was no limit.
            known = await self._log.recall(event.organization, idempotency)
            if known is not None:
                return decoded, known
        if rest is None:
            raise refused.error
        return rest, None
