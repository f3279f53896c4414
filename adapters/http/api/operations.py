"""Health and metrics, for operators and their monitoring. No token is needed."""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Mapping

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import SkipValidation
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST

from adapters.http.problems import CONTENT_TYPE, RETRY_AFTER
from adapters.http.telemetry import exposition
from application.archiving.watch import LogWatch
from application.looking import Unknown
from application.projections.status import State
from application.projections.watch import ProjectionWatch
from application.readiness import LogHealth, ReadinessHandler

NO_CACHE = {"Cache-Control": "no-store"}


class Live(Struct, frozen=True):
    """The process is running."""

    status: str = "live"


class Ready(Struct, frozen=True):
    """The worker serves requests; `warnings` lists problems that an operator should look at.

    `projections` has the state of each projection, and is empty if it is unknown.
    """

    warnings: tuple[str, ...]
    projections: Mapping[str, State]
    status: str = "ready"


class NotReady(Struct, frozen=True):
    """A problem document; `problems` lists the reasons why the worker serves no requests."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    detail: str
    status: int = 503
    title: str = "Service Unavailable"
    type: str = "urn:cave:problem:not-ready"


@get("/health/live", name="live")
async def live() -> Response[Live]:
    return Response(Live(), headers=NO_CACHE)


@get("/health/ready", name="ready")
async def ready(readiness: NamedDependency[SkipValidation[ReadinessHandler]]) -> Response[bytes]:
    report = await readiness()
    if not report.problems:
        return Response(
            msgspec.json.encode(Ready(report.warnings, report.projections)),
            media_type="application/json",
            headers=NO_CACHE,
        )
    document = NotReady(report.problems, report.warnings, "; ".join(report.problems))
    return Response(
        msgspec.json.encode(document),
        status_code=503,
        media_type=CONTENT_TYPE.decode(),
        headers={"Retry-After": str(RETRY_AFTER), **NO_CACHE},
    )


@get("/metrics", name="prometheus_metrics")
async def prometheus_metrics(
    projections: NamedDependency[SkipValidation[ProjectionWatch]],
    log: NamedDependency[SkipValidation[LogWatch]],
    log_health: NamedDependency[SkipValidation[LogHealth]],
) -> Response[bytes]:
    found, of_log = await projections.statuses(), await log.status()
    statuses = None if isinstance(found, Unknown) else found
    log_state = None if isinstance(of_log, Unknown) else of_log
    text = await to_thread(exposition, statuses, log_state, log_health.idempotency())
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST, **NO_CACHE})
