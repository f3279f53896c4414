"""Opens the log: its server, its archive, and the organizations."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import structlog
from msgspec import Struct

from adapters.archive import ObjectArchive, open_archive
from adapters.event_format.codec import MetricEventCodec
from adapters.eventsourcing.organizations import Organizations
from adapters.redis_streams.clients import DRIVER_ERRORS, Client
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.durability import shortcomings
from adapters.redis_streams.metrics.archiving import LogIdentity, RedisArchivedLogServer
from adapters.redis_streams.metrics.hot_log import RedisHotLog
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.refused_points import RedisRefusedPoints
from adapters.redis_streams.metrics.settings import settle_partitions
from adapters.redis_streams.metrics.usage import RedisUsageStore
from adapters.redis_streams.organizations.raw_entries import (
    RedisOrganizationEntries,
    organization_keys,
)
from adapters.redis_streams.server import check_version, weaknesses
from application.errors import LogUnavailable, LogUnfit
from application.event_log.archive import OnStep, ignore_step
from entrypoints.settings import OFF, LogSettings

SOCKET_TIMEOUT = 5.0

LOG_CONNECTIONS = 16
"""The most connections of a process to the log server, beside those that follow or append."""

_log = structlog.get_logger(__name__)


class Log(Struct, frozen=True):
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
def open_log(settings: LogSettings, url: str, on_step: OnStep = ignore_step) -> Iterator[Log]:
    with connected(url) as client, ExitStack() as opened:
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
        yield Log(
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
def connected(url: str) -> Iterator[Client]:
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
