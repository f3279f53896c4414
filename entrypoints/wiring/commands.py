"""The use cases of commands that need only the log."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

from adapters.archive import open_archive
from adapters.event_format.codec import MetricEventCodec
from adapters.redis_streams.metrics.archiving import LogIdentity
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.organizations.raw_entries import (
    RedisRestorableLog,
    organization_keys,
)
from adapters.redis_streams.server import check_version
from application.clock import utc_now
from application.organizations.issue_token import NewToken
from application.use_cases import (
    Commands,
    LogPorts,
    RestoreTools,
    compose,
    compose_restore,
)
from domain.token import TOKEN_PREFIX
from entrypoints.settings import LogSettings
from entrypoints.wiring.log import connected, open_log


def new_token() -> NewToken:
    return NewToken(id=secrets.token_hex(6), value=TOKEN_PREFIX + secrets.token_urlsafe(32))


@contextmanager
def open_commands(settings: LogSettings, url: str) -> Iterator[Commands]:
    """Open the log for commands. Raises LogUnavailable, LogUnfit, ValueError."""
    with open_log(settings, url) as log:
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
def open_restore(settings: LogSettings, url: str) -> Iterator[RestoreTools]:
    """Open an archive and an empty log server. Raises LogUnavailable, LogUnfit, ValueError."""
    codec = MetricEventCodec()
    assert settings.archive is not None  # noqa: S101  the command requires it
    with (
        connected(url) as client,
        closing(open_archive(settings.archive, codec.digest)) as archive,
    ):
        check_version(client)
        keys = MetricKeys(settings.key_prefix)
        server = RedisRestorableLog(client, keys, organization_keys(settings.key_prefix))
        yield compose_restore(archive, server)
        LogIdentity(client, keys).set_archive(archive.url)
