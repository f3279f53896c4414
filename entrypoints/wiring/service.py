"""The use cases of a worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.ducklake.query.read_model import DuckLakeReadModel
from adapters.promql import PromqlEngine
from adapters.redis_streams.metrics.active_series import RedisActiveSeries
from adapters.redis_streams.metrics.idempotency import record_limit
from adapters.redis_streams.metrics.metric_log import RedisMetricLog
from adapters.redis_streams.metrics.quota_buckets import RedisQuotaBuckets
from application.clock import utc_now
from application.organizations.token_directory import DirectoryFollower, TokenDirectory
from application.reading.query_budget import QueryLimits
from application.reading.query_threads import QueryThreads
from application.use_cases import (
    Limits,
    ServicePorts,
    UseCases,
    compose,
)
from entrypoints.settings import ServiceSettings
from entrypoints.wiring.commands import new_token
from entrypoints.wiring.log import open_log
from entrypoints.wiring.projector import location_of


@asynccontextmanager
async def open_use_cases(settings: ServiceSettings, url: str) -> AsyncIterator[UseCases]:
    """Open the use cases of a worker; on exit, finish every append, then close the log.

    Raises LogUnavailable, LogUnfit, ValueError.
    """
    with open_log(settings.log, url) as log:
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
            location_of(settings.log), seconds=queries.seconds, memory=queries.memory
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
