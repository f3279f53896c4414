"""How the parts are put together. Production and tests are wired by the same functions."""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import structlog
from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.ducklake.database import Location
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.eventsourcing.organizations import Organizations
from adapters.http.api.readiness import ReadinessReport
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.reader import RedisMetricLogReader
from adapters.redis_streams.metrics.settings import settle_partitions
from adapters.redis_streams.server import check_version, weaknesses
from application.clock import utc_now
from application.errors import LogUnavailable, LogUnfit
from application.event_log.ports import MetricLogReader
from application.organizations.access import AccessControl
from application.organizations.create_team import CreateTeamHandler
from application.organizations.issue_token import IssueTokenHandler, NewToken
from application.organizations.look_ups import LookUps
from application.organizations.own_changes import OwnChanges
from application.organizations.ports import OrganizationRepository
from application.organizations.register_organization import RegisterOrganizationHandler
from application.organizations.revoke_token import RevokeTokenHandler
from application.organizations.token_directory import MAX_SILENCE, DirectoryFollower, TokenDirectory
from application.projections.overview import ProjectionOverviewHandler
from application.projections.ports import ProjectionStores
from application.projections.replay import ReplayHandler
from application.projections.status import ProjectionStatusHandler
from application.projections.verify import VerifyHandler
from application.projections.watch import ProjectionWatch
from application.publishing.publish_metrics import PublishMetricsHandler
from application.publishing.quota import PointQuota
from application.reading.list_metric_names import ListMetricNamesHandler
from application.reading.ports import ReadModel
from application.reading.query_threads import QueryThreads
from application.reading.read_metrics import ReadMetricsHandler
from application.reading.readable_receipts import ReadableReceipts
from application.use_cases import ManageOrganizations, Queries, UseCases
from domain.token import TOKEN_PREFIX
from entrypoints.settings import LogSettings, ServiceSettings

SOCKET_TIMEOUT = 5.0
COMMAND_SECONDS = 86_400.0
"""What a command may ask of the projections takes as long as its user waits for it."""

_log = structlog.get_logger(__name__)


class Commands(Struct, frozen=True):
    """What a command line command works with."""

    manage: ManageOrganizations
    metrics: MetricLogReader


def new_token() -> NewToken:
    return NewToken(id=secrets.token_hex(6), value=TOKEN_PREFIX + secrets.token_urlsafe(32))


@contextmanager
def open_commands(settings: LogSettings, url: str) -> Iterator[Commands]:
    """Open the log for commands. Raises LogUnavailable, LogUnfit, ValueError."""
    with _open_log(settings, url) as log:
        yield Commands(_manage(log.organizations), log.metrics)


@asynccontextmanager
async def open_use_cases(
    settings: ServiceSettings, url: str
) -> AsyncIterator[tuple[UseCases, LogReadiness]]:
    """Open what a worker serves with; on the way out finish every append, then close the log.

    Raises LogUnavailable, LogUnfit, ValueError.
    """
    with _open_log(settings.log, url) as log:
        directory = TokenDirectory()
        follower = DirectoryFollower(log.organizations, directory)
        await asyncio.to_thread(follower.catch_up)
        following = threading.Thread(target=follower.run, name="token-directory", daemon=True)
        metric_log = RedisMetricLog(url, log.keys, log.metrics.partitions())
        limits = settings.queries
        read_model = DuckLakeReadModel(
            _location(settings.log),
            seconds=limits.seconds,
            memory=limits.memory,
            concurrency=limits.concurrency,
        )
        query_threads = QueryThreads(limits.concurrency)
        await metric_log.open()
        following.start()
        try:
            quota = PointQuota(settings.quota / settings.workers) if settings.quota else None
            use_cases = UseCases(
                access=AccessControl(directory, utc_now),
                publish_metrics=PublishMetricsHandler(
                    metric_log,
                    utc_now,
                    max_future_ms=int(settings.max_future.total_seconds() * 1000),
                    quota=quota,
                ),
                manage=_manage(
                    log.organizations,
                    OwnChanges(log.organizations, log.organizations, directory),
                ),
                queries=Queries(
                    list_metric_names=ListMetricNamesHandler(read_model, query_threads),
                    read_metrics=ReadMetricsHandler(
                        read_model,
                        query_threads,
                        ReadableReceipts(read_model, log.metrics.partitions()),
                    ),
                ),
                projections=ProjectionWatch(
                    ProjectionStatusHandler(read_model, log.metrics, utc_now)
                ),
            )
            yield (
                use_cases,
                LogReadiness(metric_log, directory, use_cases.projections, log.weaknesses),
            )
        finally:
            await metric_log.close()
            await asyncio.to_thread(query_threads.close)
            read_model.close()
            follower.stop()
            await asyncio.to_thread(following.join)


class ProjectionTools(Struct, frozen=True):
    """What works on the projections, from the command line and in the projector."""

    log: MetricLogReader
    manage: ManageOrganizations
    stores: ProjectionStores
    overview: ProjectionOverviewHandler
    replay: ReplayHandler
    verify: VerifyHandler
    read_model: ReadModel


@contextmanager
def open_projections(settings: LogSettings, url: str) -> Iterator[ProjectionTools]:
    """Open the log and the projections. Raises as `open_commands`, and StoreUnavailable."""
    location = _location(settings)
    with (
        _open_log(settings, url) as log,
        closing(DuckLakeStores(location)) as stores,
        closing(DuckLakeReadModel(location, seconds=COMMAND_SECONDS)) as read_model,
    ):
        replay = ReplayHandler(log.metrics, stores)
        yield ProjectionTools(
            log=log.metrics,
            manage=_manage(log.organizations),
            stores=stores,
            overview=ProjectionOverviewHandler(stores, log.metrics, utc_now),
            replay=replay,
            verify=VerifyHandler(replay, stores),
            read_model=read_model,
        )


class LogReadiness:
    """Implements the port Readiness of adapters.http."""

    def __init__(
        self,
        metric_log: RedisMetricLog,
        directory: TokenDirectory,
        projections: ProjectionWatch,
        weak: tuple[str, ...],
    ) -> None:
        self._metric_log = metric_log
        self._directory = directory
        self._projections = projections
        self._weak = weak

    async def report(self) -> ReadinessReport:
        problems = []
        if not await self._metric_log.answers():
            problems.append("the event log does not answer")
        status = self._directory.status
        if not status.caught_up:
            problems.append("the token directory has not caught up with the log yet")
        elif status.silence > MAX_SILENCE:
            problems.append(
                f"the token directory has not heard of the log for {status.silence:.0f} s"
            )
        warnings = (*self._weak, *await self._projections.warnings())
        return ReadinessReport(tuple(problems), warnings)


def _location(settings: LogSettings) -> Location:
    files = settings.projections_files
    return Location(
        root=(settings.data_dir / "projections").absolute(),
        catalog=settings.projections_catalog,
        files=files if files is None or "://" in files else str(Path(files).absolute()),
    )


class _Log(Struct, frozen=True):
    keys: MetricKeys
    metrics: RedisMetricLogReader
    organizations: Organizations
    weaknesses: tuple[str, ...]


@contextmanager
def _open_log(settings: LogSettings, url: str) -> Iterator[_Log]:
    client = Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), socket_timeout=SOCKET_TIMEOUT, protocol=2
    )
    try:
        weak = _check_server(settings, client)
        keys = MetricKeys(settings.key_prefix)
        partitions = settle_partitions(client, keys, settings.partitions)
        organizations = Organizations(
            {
                "PERSISTENCE_MODULE": "adapters.redis_streams",
                "REDIS_URL": url,
                "REDIS_KEY_PREFIX": settings.key_prefix,
            }
        )
        try:
            metrics = RedisMetricLogReader(client, keys, partitions)
            yield _Log(keys, metrics, organizations, weak)
        finally:
            organizations.close()
    except RedisError as error:
        raise LogUnavailable(f"the event log cannot be used: {error}") from error
    finally:
        client.close()


def _check_server(settings: LogSettings, client: Redis) -> tuple[str, ...]:
    check_version(client)
    found = tuple(weaknesses(client))
    if found and not settings.allow_weak_log:
        raise LogUnfit(
            f"the log server may lose what it acknowledged: {'; '.join(found)} "
            "(CAVE_ALLOW_WEAK_LOG=1 accepts that)"
        )
    for weakness in found:
        _log.warning("the log server may lose what it acknowledged", weakness=weakness)
    return found


def _manage(
    organizations: Organizations, repository: OrganizationRepository | None = None
) -> ManageOrganizations:
    repository = repository or organizations
    return ManageOrganizations(
        register_organization=RegisterOrganizationHandler(repository, new_token, utc_now),
        create_team=CreateTeamHandler(repository, utc_now),
        issue_token=IssueTokenHandler(repository, new_token, utc_now),
        revoke_token=RevokeTokenHandler(repository, utc_now),
        look_ups=LookUps(repository, organizations),
    )
