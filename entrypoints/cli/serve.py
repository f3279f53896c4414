"""`cave serve`: the service."""

from __future__ import annotations

from datetime import timedelta

import click

from domain.limits import MAX_SERIES
from entrypoints.cli.options import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    example,
    roots,
    setting,
    takes_archive_policy,
    takes_log_settings,
)
from entrypoints.cli.values import AttributeNames, DecimalNumber, Duration, Rate, Size, WholeNumber
from entrypoints.settings import (
    HttpLimits,
    LogSettings,
    QuerySettings,
    ServiceSettings,
)

_LIMITS = HttpLimits()
_QUERIES = QuerySettings()
_SERVICE = ServiceSettings()


@click.command(
    epilog=example(
        "cave serve",
        "cave serve --host 0.0.0.0 --port 8080 --workers 4 --data-dir /var/lib/cave",
        "cave serve --redis-url redis://log.internal:6379/0",
    )
)
@setting("--host", "CAVE_HOST", default=DEFAULT_HOST, help="The address to listen on.")
@setting(
    "--port",
    "CAVE_PORT",
    type=WholeNumber(0, 65535),
    default=DEFAULT_PORT,
    help="The port to listen on; 0 picks a free one.",
)
@setting(
    "--workers",
    "CAVE_WORKERS",
    type=WholeNumber(min=1),
    default=_SERVICE.workers,
    help="The number of worker processes.",
)
@setting(
    "--no-projector",
    "CAVE_NO_PROJECTOR",
    is_flag=True,
    help="Run no projector: `cave projector` runs elsewhere, on the same log and projections.",
)
@takes_log_settings
@takes_archive_policy
@setting(
    "--quota",
    "CAVE_QUOTA",
    type=Rate(),
    help="The points per second that each organization may publish; unlimited if unset.",
)
@setting(
    "--series-limit",
    "CAVE_SERIES_LIMIT",
    type=WholeNumber(1, MAX_SERIES),
    help="The active series that each organization may have; unlimited if unset.",
)
@setting(
    "--max-future",
    "CAVE_MAX_FUTURE",
    type=Duration(),
    default="24h",
    help="How far in the future a timestamp may be.",
)
@setting(
    "--max-body",
    "CAVE_MAX_BODY",
    type=Size(),
    default="16MiB",
    help="The largest request body, as sent.",
)
@setting(
    "--max-inflated",
    "CAVE_MAX_INFLATED",
    type=Size(),
    default="64MiB",
    help="The largest request body, decompressed.",
)
@setting(
    "--max-points",
    "CAVE_MAX_POINTS",
    type=WholeNumber(min=1),
    default=_LIMITS.max_points,
    help="The most points in a batch.",
)
@setting(
    "--max-body-memory",
    "CAVE_MAX_BODY_MEMORY",
    type=Size(),
    default="256MiB",
    help="The most memory for request bodies in a worker.",
)
@setting(
    "--query-seconds",
    "CAVE_QUERY_SECONDS",
    type=DecimalNumber(min=0, min_open=True),
    default=_QUERIES.seconds,
    help="The most seconds a query may take.",
)
@setting(
    "--query-memory",
    "CAVE_QUERY_MEMORY",
    type=Size(),
    default="256MiB",
    help="The most memory for queries in a worker.",
)
@setting(
    "--query-concurrency",
    "CAVE_QUERY_CONCURRENCY",
    type=WholeNumber(min=1),
    default=_QUERIES.concurrency,
    help="The most queries a worker runs at the same time.",
)
@setting(
    "--query-queue",
    "CAVE_QUERY_QUEUE",
    type=WholeNumber(min=0),
    default=_QUERIES.queue,
    help="The most queries that wait for their turn in a worker.",
)
@setting(
    "--query-wait",
    "CAVE_QUERY_WAIT",
    type=DecimalNumber(min=0, min_open=True),
    default=_QUERIES.wait,
    help="The most seconds a query waits for its turn.",
)
@setting(
    "--query-steps",
    "CAVE_QUERY_STEPS",
    type=WholeNumber(min=1),
    default=_QUERIES.steps,
    help="The most steps of a range query of PromQL.",
)
@setting(
    "--query-series",
    "CAVE_QUERY_SERIES",
    type=WholeNumber(min=1),
    default=_QUERIES.series,
    help="The most series that a query of PromQL may read.",
)
@setting(
    "--query-samples",
    "CAVE_QUERY_SAMPLES",
    type=WholeNumber(min=1),
    default=_QUERIES.samples,
    help="The most samples that a query of PromQL may read.",
)
@setting(
    "--idempotency-memory",
    "CAVE_IDEMPOTENCY_MEMORY",
    type=Size(),
    help="The most memory for idempotency keys on the log server; if unset, a quarter of its "
    "maxmemory, or 1GiB if it has none.",
)
@setting(
    "--otlp-resource-attributes",
    "CAVE_OTLP_RESOURCE_ATTRIBUTES",
    type=AttributeNames(),
    default=",".join(_SERVICE.otlp_resource_attributes),
    help="The attributes of OTLP resources that become tags, separated by commas; a * at the end "
    "stands for any ending.",
)
@setting(
    "--operator-token",
    "CAVE_OPERATOR_TOKEN",
    help="A token that may create organizations over HTTP. Prefer the variable: other users can "
    "read a command's arguments.",
)
@click.pass_context
def serve(
    ctx: click.Context,
    log: LogSettings,
    host: str,
    port: int,
    workers: int,
    no_projector: bool,  # noqa: FBT001  click passes it by name
    quota: float | None,
    series_limit: int | None,
    max_future: timedelta,
    max_body: int,
    max_inflated: int,
    max_points: int,
    max_body_memory: int,
    query_seconds: float,
    query_memory: int,
    query_concurrency: int,
    query_queue: int,
    query_wait: float,
    query_steps: int,
    query_series: int,
    query_samples: int,
    idempotency_memory: int | None,
    otlp_resource_attributes: tuple[str, ...],
    operator_token: str | None,
) -> None:
    """Run the service until stopped.

    Without --redis-url it runs an embedded log server on the data directory, which writes and
    fsyncs each batch before the batch is acknowledged. Prints a line with the address when ready.
    """
    settings = ServiceSettings(
        log=log,
        limits=HttpLimits(
            max_body=max_body,
            max_inflated=max_inflated,
            max_points=max_points,
            max_body_memory=max_body_memory,
        ),
        queries=QuerySettings(
            seconds=query_seconds,
            memory=query_memory,
            concurrency=query_concurrency,
            queue=query_queue,
            wait=query_wait,
            steps=query_steps,
            series=query_series,
            samples=query_samples,
        ),
        max_future=max_future,
        quota=quota,
        series_limit=series_limit,
        idempotency_memory=idempotency_memory,
        otlp_resource_attributes=otlp_resource_attributes,
        operator_token=operator_token,
        workers=workers,
        projector=not no_projector,
    )
    ctx.exit(roots().serve(settings, host, port))
