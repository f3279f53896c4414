"""The wiring: opens the adapters, composes the use cases, and closes everything again."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import structlog
from msgspec import Struct, structs

from adapters.archive import ObjectArchive, open_archive
from adapters.ducklake.database import Location
from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.ducklake.store.stores import DuckLakeStores
from adapters.event_format.codec import MetricEventCodec
from adapters.eventsourcing.organizations import Organizations
from adapters.promql import PromqlEngine
from adapters.redis_streams.clients import DRIVER_ERRORS, Client
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.durability import shortcomings
from adapters.redis_streams.metrics.active_series import RedisActiveSeries
from adapters.redis_streams.metrics.archiving import LogIdentity, RedisArchivedLogServer
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.idempotency import record_limit
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.quota_buckets import RedisQuotaBuckets
from adapters.redis_streams.metrics.refused_points import RedisRefusedPoints
from adapters.redis_streams.metrics.settings import settle_partitions
from adapters.redis_streams.metrics.usage import RedisUsageStore
from adapters.redis_streams.organizations.raw_entries import (
    RedisOrganizationEntries,
    RedisRestorableLog,
    organization_keys,
)
from adapters.redis_streams.server import check_version, weaknesses
from application.clock import utc_now
from application.errors import LogUnavailable, LogUnfit
from application.event_log.archive import OnStep, ignore_step
from application.organizations.issue_token import NewToken
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.projections.priority import Priority
from application.reading.query_budget import QueryLimits
from application.reading.query_threads import QueryThreads
from application.use_cases import (
    Commands,
    Limits,
    LogPorts,
    LogTools,
    ProjectionPorts,
    ProjectionTools,
    Projector,
    ProjectorPorts,
    RestoreTools,
    ServicePorts,
    UseCases,
    compose,
    compose_log_tools,
    compose_restore,
)
from domain.token import TOKEN_PREFIX
from entrypoints.settings import OFF, LogSettings, ServiceSettings

SOCKET_TIMEOUT = 5.0

LOG_CONNECTIONS = 16
"""The most connections of a process to the log server, beside those that follow or append."""

COMMAND_SECONDS = 86_400.0
"""The limit of a command's queries: effectively none, since users can interrupt a command."""

COMMAND_MEMORY = 1 << 30
"""Bytes that a command's PromQL query may use."""

_log = structlog.get_logger(__name__)


def new_token() -> NewToken:
    return NewToken(id=secrets.token_hex(6), value=TOKEN_PREFIX + secrets.token_urlsafe(32))


@contextmanager
def open_commands(settings: LogSettings, url: str) -> Iterator[Commands]:
    """Open the log for commands. Raises LogUnavailable, LogUnfit, ValueError."""
    with _open_log(settings, url) as log:
        ports = LogPorts(
            organizations=log.organizations,
            organization_log=log.organizations,
            hot=log.hot,
            server=log.server,
            archive=log.archive,
            codec=log.codec,
            refused_points=log.refused_points,
            usage=log.usage,
        )
        yield compose(ports, utc_now, new_token)


@contextmanager
def open_projections(settings: LogSettings, url: str) -> Iterator[ProjectionTools]:
    """Open the log and the projections. Raises as `open_commands`, and StoreUnavailable."""
    location = _location(settings)
    with (
        _open_log(settings, url) as log,
        closing(_stores(settings)) as stores,
        closing(DuckLakeReadModel(location, seconds=COMMAND_SECONDS)) as queries,
        closing(DuckLakePointExport(location)) as points,
    ):
        ports = ProjectionPorts(
            organizations=log.organizations,
            organization_log=log.organizations,
            hot=log.hot,
            server=log.server,
            archive=log.archive,
            codec=log.codec,
            refused_points=log.refused_points,
            usage=log.usage,
            stores=stores,
            queries=queries,
            promql=PromqlEngine(queries.series),
            points=points,
        )
        limits = Limits(promql=QueryLimits(seconds=COMMAND_SECONDS, memory=COMMAND_MEMORY))
        yield compose(ports, utc_now, new_token, limits=limits)


@contextmanager
def open_projector(settings: LogSettings, url: str, priority: Priority) -> Iterator[Projector]:
    """Open the log and the stores of the projections. Raises as `open_projections`."""
    with (
        _open_log(settings, url) as log,
        closing(_stores(settings)) as stores,
    ):
        ports = structs.replace(_projector_ports(settings, log, stores), priority=priority)
        yield compose(ports, utc_now, new_token)


@contextmanager
def open_log_tools(
    settings: LogSettings, url: str, on_step: OnStep = ignore_step
) -> Iterator[LogTools]:
    """Open the log, its archive and the stores for `cave log`. Raises as `open_projections`.

    `on_step` is called after each step of archiving.
    """
    with (
        _open_log(settings, url, on_step) as log,
        closing(_stores(settings)) as stores,
    ):
        ports = _projector_ports(settings, log, stores, on_step)
        yield compose_log_tools(ports, log.organizations, utc_now)


@contextmanager
def open_restore(settings: LogSettings, url: str) -> Iterator[RestoreTools]:
    """Open an archive and an empty log server. Raises LogUnavailable, LogUnfit, ValueError."""
    codec = MetricEventCodec()
    assert settings.archive is not None  # noqa: S101  the command requires it
    with (
        _connected(url) as client,
        closing(open_archive(settings.archive, codec.digest)) as archive,
    ):
        check_version(client)
        keys = MetricKeys(settings.key_prefix)
        server = RedisRestorableLog(client, keys, organization_keys(settings.key_prefix))
        yield compose_restore(archive, server)
        LogIdentity(client, keys).set_archive(archive.url)


def _projector_ports(
    settings: LogSettings, log: _Log, stores: DuckLakeStores, on_step: OnStep = ignore_step
) -> ProjectorPorts:
    return ProjectorPorts(
        hot=log.hot,
        server=log.server,
        organization_entries=log.organization_entries,
        codec=log.codec,
        archive=log.archive,
        refused_points=log.refused_points,
        usage=log.usage,
        stores=stores,
        log_id=log.id,
        owner=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}",
        policy=settings.archive_policy,
        on_step=on_step,
    )


@asynccontextmanager
async def open_use_cases(settings: ServiceSettings, url: str) -> AsyncIterator[UseCases]:
    """Open the use cases of a worker; on exit, finish every append, then close the log.

    Raises LogUnavailable, LogUnfit, ValueError.
    """
    with _open_log(settings.log, url) as log:
        directory = TokenDirectory()
        follower = DirectoryFollower(log.organizations, directory)
        await asyncio.to_thread(follower.catch_up)
        following = threading.Thread(target=follower.run, name="token-directory", daemon=True)
        metric_log = RedisMetricLog(
            url,
            log.keys,
            log.hot.partitions(),
            max_records=record_limit(log.client, settings.idempotency_memory),
            durability=settings.log.durability,
        )
        queries = settings.queries
        read_model = DuckLakeReadModel(
            _location(settings.log), seconds=queries.seconds, memory=queries.memory
        )
        threads = QueryThreads(queries.concurrency, queue=queries.queue, patience=queries.wait)
        ports = ServicePorts(
            organizations=log.organizations,
            organization_log=log.organizations,
            hot=log.hot,
            server=log.server,
            archive=log.archive,
            codec=log.codec,
            refused_points=log.refused_points,
            usage=log.usage,
            directory=directory,
            metric_log=metric_log,
            log_health=metric_log,
            weaknesses=log.weaknesses,
            queries=read_model,
            promql=PromqlEngine(read_model.series),
            series=read_model.series,
            positions=read_model,
            generations=read_model,
            quota_buckets=RedisQuotaBuckets(log.client, log.keys, log.hot.partitions()),
            active_series=RedisActiveSeries(log.client, log.keys, log.hot.partitions()),
            threads=threads,
        )
        limits = Limits(
            max_future_ms=int(settings.max_future.total_seconds() * 1000),
            max_points=settings.limits.max_points,
            points_per_second=settings.quota,
            series=settings.series_limit,
            archive_policy=settings.log.archive_policy,
            promql=QueryLimits(
                steps=queries.steps,
                series=queries.series,
                samples=queries.samples,
                memory=queries.memory,
                seconds=queries.seconds,
            ),
        )
        use_cases = compose(ports, utc_now, new_token, limits=limits)
        await metric_log.open()
        following.start()
        recording = asyncio.create_task(use_cases.usage_recorder.run())
        try:
            yield use_cases
        finally:
            await metric_log.close()
            use_cases.usage_recorder.stop()
            await recording
            await asyncio.to_thread(threads.close)
            read_model.close()
            follower.stop()
            await asyncio.to_thread(following.join)


def _location(settings: LogSettings) -> Location:
    files = settings.projections_files
    return Location(
        root=(settings.data_dir / "projections").absolute(),
        catalog=settings.projections_catalog,
        files=files if files is None or "://" in files else str(Path(files).absolute()),
        connections=settings.projections_connections,
    )


def _stores(settings: LogSettings) -> DuckLakeStores:
    lease = settings.projections_lease.total_seconds()
    return DuckLakeStores(_location(settings), lease_seconds=lease)


class _Log(Struct, frozen=True):
    id: str
    client: Client
    keys: MetricKeys
    hot: RedisHotLog
    server: RedisArchivedLogServer
    organization_entries: RedisOrganizationEntries
    archive: ObjectArchive | None
    codec: MetricEventCodec
    refused_points: RedisRefusedPoints
    usage: RedisUsageStore
    organizations: Organizations
    weaknesses: tuple[str, ...]


@contextmanager
def _open_log(settings: LogSettings, url: str, on_step: OnStep = ignore_step) -> Iterator[_Log]:
    with _connected(url) as client, ExitStack() as opened:
        weak = _check_server(settings, client)
        keys = MetricKeys(settings.key_prefix)
        partitions = settle_partitions(client, keys, settings.partitions)
        identity = LogIdentity(client, keys)
        codec = MetricEventCodec()
        archive_url = _archive_url(settings, identity)
        archive = None
        if archive_url is not None:
            archive = opened.enter_context(
                closing(open_archive(archive_url, codec.digest, on_step))
            )
        organizations = opened.enter_context(
            closing(
                Organizations(
                    {
                        "PERSISTENCE_MODULE": "adapters.redis_streams",
                        "REDIS_URL": url,
                        "REDIS_KEY_PREFIX": settings.key_prefix,
                        "REDIS_DURABILITY": str(settings.durability),
                    }
                )
            )
        )
        yield _Log(
            id=identity.settle(secrets.token_hex(16)),
            client=client,
            keys=keys,
            hot=RedisHotLog(client, keys, partitions),
            server=RedisArchivedLogServer(client, keys, partitions),
            organization_entries=RedisOrganizationEntries(
                client, organization_keys(settings.key_prefix)
            ),
            archive=archive,
            codec=codec,
            refused_points=RedisRefusedPoints(client, keys, partitions),
            usage=RedisUsageStore(client, keys, partitions),
            organizations=organizations,
            weaknesses=weak,
        )


@contextmanager
def _connected(url: str) -> Iterator[Client]:
    with closing(Connections(url)) as connections:
        try:
            with closing(
                connections.client(timeout=SOCKET_TIMEOUT, size=LOG_CONNECTIONS)
            ) as client:
                yield client
        except DRIVER_ERRORS as error:
            raise LogUnavailable(f"cannot use the event log: {error}") from error


def _archive_url(settings: LogSettings, identity: LogIdentity) -> str | None:
    """Return the archive of a log: the one in the settings, else the one the log was given.

    A place that is not the default is kept in the log, so that commands find it.
    """
    if settings.archive is not None:
        if settings.archive == OFF:
            return None
        url = settings.archive
        url = url if "://" in url else str(Path(url).absolute())
        if identity.archive() != url:
            identity.set_archive(url)
        return url
    if (given := identity.archive()) is not None:
        return given
    return None if settings.redis_url else str((settings.data_dir / "archive").absolute())


def _check_server(settings: LogSettings, client: Client) -> tuple[str, ...]:
    check_version(client)
    found = tuple(weaknesses(client))
    if found and not settings.allow_weak_log:
        raise LogUnfit(
            f"the log server may lose acknowledged data: {'; '.join(found)}. "
            "Change its settings, or accept the risk with --allow-weak-log or CAVE_ALLOW_WEAK_LOG=1"
        )
    found += tuple(shortcomings(client, settings.durability))
    for weakness in found:
        _log.warning("the log server may lose acknowledged data", weakness=weakness)
    return found
