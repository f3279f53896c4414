"""The use cases of the projector, and of commands that look after the log."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from msgspec import structs

from adapters.ducklake.database import Location
from adapters.ducklake.store.stores import DuckLakeStores
from application.clock import utc_now
from application.event_log.archive import OnStep, ignore_step
from application.projections.priority import Priority
from application.use_cases import (
    LogTools,
    Projector,
    ProjectorPorts,
    compose,
    compose_log_tools,
)
from entrypoints.settings import LogSettings
from entrypoints.wiring.commands import new_token
from entrypoints.wiring.log import Log, open_log


@contextmanager
def open_projector(settings: LogSettings, url: str, priority: Priority) -> Iterator[Projector]:
    """Open the log and the stores of the projections. Raises as `open_projections`."""
    with (
        open_log(settings, url) as log,
        closing(open_stores(settings)) as stores,
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
        open_log(settings, url, on_step) as log,
        closing(open_stores(settings)) as stores,
    ):
        ports = _projector_ports(settings, log, stores, on_step)
        yield compose_log_tools(ports, log.organizations, utc_now)


def _projector_ports(
    settings: LogSettings, log: Log, stores: DuckLakeStores, on_step: OnStep = ignore_step
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


def location_of(settings: LogSettings) -> Location:
    files = settings.projections_files
    return Location(
        root=(settings.data_dir / "projections").absolute(),
        catalog=settings.projections_catalog,
        files=files if files is None or "://" in files else str(Path(files).absolute()),
        connections=settings.projections_connections,
    )


def open_stores(settings: LogSettings) -> DuckLakeStores:
    lease = settings.projections_lease.total_seconds()
    return DuckLakeStores(location_of(settings), lease_seconds=lease)
