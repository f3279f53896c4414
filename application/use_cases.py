"""The list of all use cases, and `compose`, which makes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import overload

from msgspec import Struct

from application.archiving.accept_loss import AcceptLossHandler
from application.archiving.archiver import Archiver
from application.archiving.erase import EraseOrganizationHandler
from application.archiving.policy import ArchivePolicy
from application.archiving.ports import (
    ArchivedLogServer,
    OrganizationEntries,
    RestorableLog,
)
from application.archiving.restore import RestoreLogHandler
from application.archiving.sealing import Sealing
from application.archiving.status import LogStatusHandler
from application.archiving.trimming import Trimming
from application.archiving.verify import VerifyLogHandler
from application.archiving.watch import LogWatch
from application.clock import Clock
from application.event_log.archive import Archive, OnStep, ignore_step
from application.event_log.follow import FollowLogHandler
from application.event_log.ports import EntryLog, EventCodec, HotLog
from application.event_log.reader import MetricLogReader
from application.event_log.tiered import TieredLog
from application.organization_health import OrganizationHealthHandler
from application.organizations.access import AccessControl
from application.organizations.create_team import CreateTeamHandler
from application.organizations.create_team_with_token import CreateTeamWithTokenHandler
from application.organizations.issue_token import IssueTokenHandler, TokenSource
from application.organizations.look_ups import LookUps
from application.organizations.own_changes import PATIENCE, OwnChanges
from application.organizations.ports import OrganizationLog, OrganizationRepository
from application.organizations.register_organization import RegisterOrganizationHandler
from application.organizations.revoke_own_token import RevokeOwnTokenHandler
from application.organizations.revoke_token import RevokeTokenHandler
from application.organizations.set_limits import SetLimitsHandler
from application.organizations.token_directory import TokenDirectory
from application.projections.folds import PROJECTIONS
from application.projections.live import LiveProjection
from application.projections.overview import ProjectionOverviewHandler
from application.projections.ports import LiveGenerations, ProjectionStores
from application.projections.priority import InPlace, Priority
from application.projections.replay import ReplayHandler
from application.projections.shared_pages import SharedPages
from application.projections.status import ProjectionStatuses
from application.projections.verify import VerifyHandler
from application.projections.watch import INTERVAL as STATUS_INTERVAL
from application.projections.watch import MAX_SHARE as STATUS_SHARE
from application.projections.watch import PATIENCE as STATUS_PATIENCE
from application.projections.watch import ProjectionWatch
from application.publishing.active_series import ActiveSeries
from application.publishing.describe_metrics import MAX_MEMORY as DESCRIPTION_MEMORY
from application.publishing.describe_metrics import DescribeMetricsHandler
from application.publishing.ports import MetricLog
from application.publishing.publish_metrics import PublishMetricsHandler
from application.publishing.publish_together import PublishTogether
from application.publishing.quota import PointQuota, QuotaBuckets
from application.publishing.refused_points import RefusedPoints
from application.publishing.series_limit import SeriesLimit
from application.readiness import LogHealth, ReadinessHandler
from application.reading.export_points import ExportPointsHandler
from application.reading.list_metric_names import ListMetricNamesHandler
from application.reading.plot_samples import PlotSamplesHandler
from application.reading.ports import PointExport, PointQueries, ProjectionPositions
from application.reading.promql import Promql
from application.reading.promql_queries import PromqlQueries
from application.reading.query_budget import QueryLimits
from application.reading.query_promql import QueryPromqlHandler
from application.reading.query_threads import QueryThreads
from application.reading.read_metrics import ReadMetricsHandler
from application.reading.read_series import ReadSeriesHandler
from application.reading.readable_receipts import INTERVAL as RECEIPT_INTERVAL
from application.reading.readable_receipts import PATIENCE as RECEIPT_PATIENCE
from application.reading.readable_receipts import ReadableReceipts
from application.reading.series import SeriesSource
from application.usage.counter import UsageCounter
from application.usage.ports import UsageStore
from application.usage.recorder import UsageRecorder
from application.usage.token_uses import TokenUses
from domain.limits import Rate, rate_of


class ManageOrganizations(Struct, frozen=True, kw_only=True):
    """Commands and look-ups on organizations. Each call may block on the log."""

    register_organization: RegisterOrganizationHandler
    create_team: CreateTeamHandler
    create_team_with_token: CreateTeamWithTokenHandler
    issue_token: IssueTokenHandler
    revoke_token: RevokeTokenHandler
    revoke_own_token: RevokeOwnTokenHandler
    set_limits: SetLimitsHandler
    look_ups: LookUps


class Queries(Struct, frozen=True, kw_only=True):
    """Queries on the projections. No call blocks the event loop."""

    list_metric_names: ListMetricNamesHandler
    read_metrics: ReadMetricsHandler
    promql: PromqlQueries
    read_series: ReadSeriesHandler


class Projector(Struct, frozen=True, kw_only=True):
    """The use cases of the projector: each is to be run in a thread of its own."""

    live: tuple[LiveProjection, ...]
    archiver: Archiver | None


class LogTools(Struct, frozen=True, kw_only=True):
    """The use cases of `cave log`; without an archive there is no archiver."""

    accept_loss: AcceptLossHandler
    status: LogStatusHandler
    verify: VerifyLogHandler
    archiver: Archiver | None
    erase: EraseOrganizationHandler | None


class Commands(Struct, frozen=True, kw_only=True):
    """The use cases of commands that need the log alone; `metrics` looks up single events."""

    manage: ManageOrganizations
    follow_log: FollowLogHandler
    metrics: MetricLogReader
    refused_points: RefusedPoints
    token_uses: TokenUses


class ProjectionTools(Commands, frozen=True, kw_only=True):
    """The use cases of commands that also read, rebuild or verify projections."""

    overview: ProjectionOverviewHandler
    export_points: ExportPointsHandler
    plot_samples: PlotSamplesHandler
    query_promql: QueryPromqlHandler
    replay: ReplayHandler
    verify: VerifyHandler


class UseCases(Commands, frozen=True, kw_only=True):
    """The use cases of a worker: everything that clients can request over HTTP."""

    access: AccessControl
    publish_metrics: PublishMetricsHandler
    publish_together: PublishTogether
    describe_metrics: DescribeMetricsHandler
    queries: Queries
    projections: ProjectionWatch
    log: LogWatch
    readiness: ReadinessHandler
    log_health: LogHealth
    organization_health: OrganizationHealthHandler
    usage_recorder: UsageRecorder


class TierPorts(Struct, frozen=True, kw_only=True):
    """The two tiers of the metric log: its server, and its archive if it has one.

    `refused_points` and `usage` are kept beside it.
    """

    hot: HotLog
    server: ArchivedLogServer
    codec: EventCodec
    archive: Archive | None = None
    refused_points: RefusedPoints
    usage: UsageStore

    @property
    def entries(self) -> EntryLog:
        """The metric log as one, whether its entries are on the server or in the archive."""
        return TieredLog(self.hot, self.codec, self.archive)


class LogPorts(TierPorts, frozen=True, kw_only=True):
    """The ports of commands that need only the log."""

    organizations: OrganizationRepository
    organization_log: OrganizationLog


class ProjectionPorts(LogPorts, frozen=True, kw_only=True):
    """The ports of commands that also need the projections."""

    stores: ProjectionStores
    queries: PointQueries
    promql: Promql
    points: PointExport


class ServicePorts(LogPorts, frozen=True, kw_only=True):
    """The ports of a worker: the log, for reading and writing, and the projections, for queries.

    The caller keeps `directory` up to date, and closes `threads` at the end. `weaknesses` are
    those of the log server.
    """

    directory: TokenDirectory
    metric_log: MetricLog
    log_health: LogHealth
    weaknesses: tuple[str, ...] = ()
    queries: PointQueries
    promql: Promql
    series: SeriesSource
    positions: ProjectionPositions
    generations: LiveGenerations
    quota_buckets: QuotaBuckets
    active_series: ActiveSeries
    threads: QueryThreads


class ProjectorPorts(TierPorts, frozen=True, kw_only=True):
    """The ports of the projector: the log, the stores it feeds, and the archive it moves it to.

    `log_id` is the log's id, and `owner` names this process among archivers. `on_step` is called
    after each step of archiving. Projecting and archiving run at the `priority` they need.
    """

    organization_entries: OrganizationEntries
    stores: ProjectionStores
    log_id: str
    owner: str
    policy: ArchivePolicy = ArchivePolicy()
    on_step: OnStep = ignore_step
    priority: Priority = InPlace()


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of a worker.

    `max_future_ms` is how far ahead of the clock a point's timestamp may be, `max_points` the
    maximum number of points per batch. `points_per_second` is the quota and `series` the limit of
    active series of an organization that has none of its own, None for no limit.
    `description_memory` is the maximum of bytes that remembered descriptions take. Patience and
    intervals are in seconds; `status_share` is the maximum share of the time spent on reading the
    projections' state.
    """

    max_future_ms: int = 24 * 60 * 60 * 1000
    max_points: int = 100_000
    points_per_second: float | None = None
    series: int | None = None
    description_memory: int = DESCRIPTION_MEMORY
    own_change_patience: float = PATIENCE
    receipt_patience: float = RECEIPT_PATIENCE
    receipt_interval: float = RECEIPT_INTERVAL
    status_interval: float = STATUS_INTERVAL
    status_share: float = STATUS_SHARE
    status_patience: float = STATUS_PATIENCE
    archive_policy: ArchivePolicy = ArchivePolicy()
    promql: QueryLimits = QueryLimits()


@overload
def compose(
    ports: ServicePorts,
    clock: Clock,
    new_token: TokenSource,
    *,
    limits: Limits = ...,
    monotonic: Callable[[], float] = ...,
) -> UseCases: ...


@overload
def compose(
    ports: ProjectionPorts, clock: Clock, new_token: TokenSource, *, limits: Limits = ...
) -> ProjectionTools: ...


@overload
def compose(ports: LogPorts, clock: Clock, new_token: TokenSource) -> Commands: ...


@overload
def compose(ports: ProjectorPorts, clock: Clock, new_token: TokenSource) -> Projector: ...


def compose(
    ports: LogPorts | ProjectorPorts,
    clock: Clock,
    new_token: TokenSource,
    *,
    limits: Limits | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Commands | Projector:
    """Make the use cases that the ports allow: one group per kind of process.

    This is the only place where use cases are made, in production and in tests. Opens and closes
    nothing.
    """
    match ports:
        case ServicePorts():
            return _service(ports, clock, new_token, limits or Limits(), monotonic)
        case ProjectionPorts():
            return _projection_tools(ports, clock, new_token, limits or Limits())
        case LogPorts():
            manage = _manage(ports.organizations, ports.organization_log, clock, new_token)
            metrics = MetricLogReader(ports.entries, ports.codec)
            return Commands(
                manage=manage,
                follow_log=FollowLogHandler(manage.look_ups, metrics),
                metrics=metrics,
                refused_points=ports.refused_points,
                token_uses=TokenUses(ports.usage, clock),
            )
        case ProjectorPorts():
            log = ports.entries
            pages = SharedPages(MetricLogReader(log, ports.codec))
            live = tuple(
                LiveProjection(pages, ports.stores, known, priority=ports.priority)
                for known in PROJECTIONS
            )
            return Projector(live=live, archiver=_archiver(ports, log, clock))


class RestoreTools(Struct, frozen=True, kw_only=True):
    """The use case of `cave log restore`."""

    restore: RestoreLogHandler


def compose_restore(archive: Archive, server: RestorableLog) -> RestoreTools:
    """Make the use case that restores a log, which there is not yet."""
    return RestoreTools(restore=RestoreLogHandler(archive, server))


def compose_log_tools(
    ports: ProjectorPorts, organizations: OrganizationRepository, clock: Clock
) -> LogTools:
    """Make the use cases of `cave log`, which need what the projector needs."""
    log = ports.entries
    archiver = _archiver(ports, log, clock)
    erase = None
    if archiver is not None and ports.archive is not None:
        metrics = MetricLogReader(log, ports.codec)
        erase = EraseOrganizationHandler(
            organizations,
            archiver,
            ports.archive,
            ports.stores,
            ReplayHandler(metrics, ports.stores, metrics),
            ports.refused_points,
            ports.usage,
            clock,
            partitions=ports.hot.partitions(),
        )
    return LogTools(
        status=LogStatusHandler(log, ports.hot, ports.server, ports.archive, clock),
        verify=VerifyLogHandler(log, ports.hot, ports.archive, ports.codec),
        accept_loss=AcceptLossHandler(ports.hot, archiver),
        archiver=archiver,
        erase=erase,
    )


def _archiver(ports: ProjectorPorts, log: EntryLog, clock: Clock) -> Archiver | None:
    if ports.archive is None:
        return None
    sealing = Sealing(
        log, ports.organization_entries, ports.archive, ports.codec, clock, ports.on_step
    )
    return Archiver(
        ports.hot,
        ports.server,
        ports.archive,
        sealing,
        Trimming(ports.hot, ports.server, ports.archive, ports.stores, ports.on_step),
        clock,
        log_id=ports.log_id,
        owner=ports.owner,
        policy=ports.policy,
        priority=ports.priority,
    )


def _manage(
    organizations: OrganizationRepository,
    log: OrganizationLog,
    clock: Clock,
    new_token: TokenSource,
) -> ManageOrganizations:
    return ManageOrganizations(
        register_organization=RegisterOrganizationHandler(organizations, new_token, clock),
        create_team=CreateTeamHandler(organizations, clock),
        create_team_with_token=CreateTeamWithTokenHandler(organizations, new_token, clock),
        issue_token=IssueTokenHandler(organizations, new_token, clock),
        revoke_token=RevokeTokenHandler(organizations, clock),
        revoke_own_token=RevokeOwnTokenHandler(organizations, clock),
        set_limits=SetLimitsHandler(organizations, clock),
        look_ups=LookUps(organizations, log),
    )


def _projection_tools(
    ports: ProjectionPorts, clock: Clock, new_token: TokenSource, limits: Limits
) -> ProjectionTools:
    manage = _manage(ports.organizations, ports.organization_log, clock, new_token)
    metrics = MetricLogReader(ports.entries, ports.codec)
    remains = TieredLog(ports.hot, ports.codec, ports.archive, skips_gaps=True)
    replay = ReplayHandler(metrics, ports.stores, MetricLogReader(remains, ports.codec))
    return ProjectionTools(
        manage=manage,
        follow_log=FollowLogHandler(manage.look_ups, metrics),
        metrics=metrics,
        refused_points=ports.refused_points,
        token_uses=TokenUses(ports.usage, clock),
        overview=ProjectionOverviewHandler(ports.stores, metrics.entries, clock),
        export_points=ExportPointsHandler(manage.look_ups, ports.queries, ports.points),
        plot_samples=PlotSamplesHandler(manage.look_ups, ports.queries),
        query_promql=QueryPromqlHandler(manage.look_ups, ports.promql, limits.promql),
        replay=replay,
        verify=VerifyHandler(replay, ports.stores),
    )


def _service(
    ports: ServicePorts,
    clock: Clock,
    new_token: TokenSource,
    limits: Limits,
    monotonic: Callable[[], float],
) -> UseCases:
    def rates(organization: str) -> Rate | None:
        return rate_of(ports.directory.limits(organization), limits.points_per_second)

    def series_limit(organization: str) -> int | None:
        return ports.directory.limits(organization).series or limits.series

    def is_limited(organization: str) -> bool:
        return rates(organization) is not None or series_limit(organization) is not None

    metrics = MetricLogReader(ports.entries, ports.codec)
    receipts = ReadableReceipts(
        ports.positions,
        metrics,
        patience=limits.receipt_patience,
        interval=limits.receipt_interval,
    )
    own_changes = OwnChanges(
        ports.organizations,
        ports.organization_log,
        ports.directory,
        patience=limits.own_change_patience,
    )
    projections = ProjectionWatch(
        ProjectionStatuses(ports.generations, metrics.entries, clock),
        interval=limits.status_interval,
        max_share=limits.status_share,
        patience=limits.status_patience,
    )
    watch = LogWatch(
        LogStatusHandler(metrics.entries, ports.hot, ports.server, ports.archive, clock),
        limits.archive_policy,
    )
    manage = _manage(own_changes, ports.organization_log, clock, new_token)
    describe = DescribeMetricsHandler(
        ports.metric_log,
        ports.queries,
        ports.threads,
        monotonic=monotonic,
        max_memory=limits.description_memory,
    )
    usage = UsageCounter()
    return UseCases(
        manage=manage,
        follow_log=FollowLogHandler(manage.look_ups, metrics),
        metrics=metrics,
        refused_points=ports.refused_points,
        token_uses=TokenUses(ports.usage, clock),
        access=AccessControl(ports.directory, usage, clock),
        describe_metrics=describe,
        publish_metrics=PublishMetricsHandler(
            ports.metric_log,
            ports.refused_points,
            describe,
            usage,
            clock,
            max_future_ms=limits.max_future_ms,
            max_points=limits.max_points,
            quota=PointQuota(ports.quota_buckets, rates, monotonic),
            series=SeriesLimit(ports.active_series, series_limit, monotonic),
        ),
        publish_together=PublishTogether(
            ports.metric_log,
            usage,
            clock,
            max_future_ms=limits.max_future_ms,
            max_points=limits.max_points,
            is_limited=is_limited,
        ),
        queries=Queries(
            list_metric_names=ListMetricNamesHandler(ports.queries, ports.threads),
            read_metrics=ReadMetricsHandler(ports.queries, ports.threads, receipts),
            promql=PromqlQueries(
                ports.promql, ports.series, ports.queries, ports.threads, limits.promql
            ),
            read_series=ReadSeriesHandler(ports.promql, ports.series, ports.threads, limits.promql),
        ),
        projections=projections,
        log=watch,
        readiness=ReadinessHandler(
            ports.log_health, ports.directory, projections, watch, ports.weaknesses
        ),
        log_health=ports.log_health,
        organization_health=OrganizationHealthHandler(
            projections,
            watch,
            ports.usage,
            rates=rates,
            active_series=ports.active_series,
            series_limit=series_limit,
            clock=clock,
        ),
        usage_recorder=UsageRecorder(usage, ports.usage, ports.directory, clock),
    )
