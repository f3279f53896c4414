"""Use case: an organization's health. What becomes of its points, and when they can be read."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable, Sequence

from msgspec import Struct

from application.archiving.status import PartitionLog
from application.archiving.watch import LogWatch
from application.clock import Clock, milliseconds
from application.event_log.partitioning import partition_of
from application.looking import Unknown
from application.projections.status import PartitionStatus, ProjectionState
from application.projections.watch import ProjectionWatch
from application.publishing.active_series import ActiveSeries
from application.usage.ports import MINUTE_MS, MinuteUsage, UsageStore
from domain.limits import Rate


class ProjectionHealth(Struct, frozen=True):
    """A projection's state, and how far it has read the partition with the organization's events.

    The partition has the events of other organizations as well.
    """

    now: ProjectionState
    partition: PartitionStatus


class SeriesHealth(Struct, frozen=True):
    """How many series are active, and how many may be."""

    active: int
    limit: int


class OrganizationHealth(Struct, frozen=True, kw_only=True):
    """`at` is the time of this look, in ms since the epoch.

    `projections` and `log` are those of the partition with the organization's events, which has
    those of others as well; None if they are not known now. `archived` is whether the log has an
    archive. `minutes` has the points of this minute and of the hour before it. `quota` is the rate
    that the organization may publish with, `series` its use of the limit of series; each is None
    without a limit.
    """

    at: int
    projections: Sequence[ProjectionHealth] | None
    log: PartitionLog | None
    archived: bool
    minutes: Sequence[MinuteUsage]
    quota: Rate | None
    series: SeriesHealth | None


class OrganizationHealthHandler:
    """Asks what others look at anyway, so that a page can ask every few seconds."""

    def __init__(
        self,
        projections: ProjectionWatch,
        log: LogWatch,
        usage: UsageStore,
        *,
        rates: Callable[[str], Rate | None],
        active_series: ActiveSeries,
        series_limit: Callable[[str], int | None],
        clock: Clock,
    ) -> None:
        self._projections = projections
        self._log = log
        self._usage = usage
        self._rates = rates
        self._active_series = active_series
        self._series_limit = series_limit
        self._clock = clock

    async def __call__(self, organization: str) -> OrganizationHealth:
        """Return an organization's health. Raises LogUnavailable."""
        at = milliseconds(self._clock)
        minutes = await to_thread(self._usage.points, organization, at // MINUTE_MS)
        series = None
        if (limit := self._series_limit(organization)) is not None:
            series = SeriesHealth(await to_thread(self._active_series.count, organization), limit)
        statuses, log = await self._projections.statuses(), await self._log.status()
        return OrganizationHealth(
            at=at,
            projections=None
            if isinstance(statuses, Unknown)
            else [
                ProjectionHealth(
                    status.now,
                    status.partitions[partition_of(organization, len(status.partitions))],
                )
                for status in statuses
            ],
            log=None
            if isinstance(log, Unknown)
            else log.partitions[partition_of(organization, len(log.partitions))],
            archived=not isinstance(log, Unknown) and log.archive is not None,
            minutes=minutes,
            quota=self._rates(organization),
            series=series,
        )
