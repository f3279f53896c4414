"""Whether a worker is ready: the log answers, and the token directory is up to date."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from adapters.memory.active_series import MemoryActiveSeries
from adapters.memory.metric_log import MemoryMetricLog
from adapters.memory.quota_buckets import MemoryQuotaBuckets
from adapters.memory.read_model import MemoryReadModel
from adapters.memory.refused_points import MemoryRefusedPoints
from adapters.memory.series_source import MemorySeriesSource
from adapters.memory.usage import MemoryUsageStore
from application.organizations.token_directory import (
    MAX_SILENCE,
    DirectoryFollower,
    TokenDirectory,
)
from application.publishing.ports import IdempotencyRecords
from application.readiness import ReadinessReport
from application.reading.query_threads import QueryThreads
from application.use_cases import ServicePorts, compose
from tests.application.doubles import CountedTokens, FakeClock, OnePromql, organizations_in_memory


class Log(MemoryMetricLog):
    away = False
    records = IdempotencyRecords(0, 10)

    def idempotency(self) -> IdempotencyRecords:
        return self.records

    async def failures(self) -> Sequence[str]:
        return ["the event log does not answer"] if self.away else []


def test_a_worker_is_ready_once_the_log_answers_and_its_directory_is_up_to_date() -> None:
    clock, seconds = FakeClock(), [0.0]
    log, model = Log(clock), MemoryReadModel()
    directory = TokenDirectory(lambda: seconds[0])
    with organizations_in_memory() as organizations:
        ports = ServicePorts(
            organizations=organizations,
            organization_log=organizations,
            hot=log,
            server=log,
            codec=log.codec,
            refused_points=MemoryRefusedPoints(clock),
            usage=MemoryUsageStore(),
            directory=directory,
            metric_log=log,
            log_health=log,
            weaknesses=("appendfsync is everysec",),
            queries=model,
            promql=OnePromql(),
            series=MemorySeriesSource(),
            positions=model,
            generations=model,
            quota_buckets=MemoryQuotaBuckets(),
            active_series=MemoryActiveSeries(clock),
            threads=QueryThreads(1),
        )
        check = compose(ports, clock, CountedTokens()).readiness

        def problems() -> tuple[str, ...]:
            report: ReadinessReport = asyncio.run(check())
            assert report.warnings[0] == "appendfsync is everysec"
            return report.problems

        assert problems() == ("the token directory has not caught up with the log yet",)
        DirectoryFollower(organizations, directory).catch_up()
        assert problems() == ()
        directory.lost(7)
        assert "up to event 7" in asyncio.run(check()).warnings[1]
        for records in (79, 80, 100):
            log.records = IdempotencyRecords(records, 100)
            warned = "--idempotency-memory" in " ".join(asyncio.run(check()).warnings)
            assert warned == (records >= 80)
            assert problems() == ()
        log.away = True
        assert problems() == ("the event log does not answer",)
        seconds[0] += MAX_SILENCE + 1
        away, silent = problems()
        assert away == "the event log does not answer"
        assert silent == "the token directory has not heard from the log for 6 s"
