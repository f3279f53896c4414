"""The use cases of commands that work on the projections."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from adapters.ducklake.query.export import DuckLakePointExport
from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.promql import PromqlEngine
from application.clock import utc_now
from application.reading.query_budget import QueryLimits
from application.use_cases import (
    Limits,
    ProjectionPorts,
    ProjectionTools,
    compose,
)
from entrypoints.settings import LogSettings
from entrypoints.wiring.commands import new_token
from entrypoints.wiring.log import open_log
from entrypoints.wiring.projector import location_of, open_stores

COMMAND_SECONDS = 86_400.0
"""The limit of a command's queries: effectively none, since users can interrupt a command."""

COMMAND_MEMORY = 1 << 30
"""Bytes that a command's PromQL query may use."""


@contextmanager
def open_projections(settings: LogSettings, url: str) -> Iterator[ProjectionTools]:
    """Open the log and the projections. Raises as `open_commands`, and StoreUnavailable."""
    location = location_of(settings)
    with (
        open_log(settings, url) as log,
        closing(open_stores(settings)) as stores,
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
