"""Queries wait for their turn: in order, so many of them, and so long."""

from __future__ import annotations

import asyncio
import threading

import pytest

from adapters.memory.read_model import MemoryReadModel
from adapters.memory.series_source import MemorySeriesSource
from application.organizations.access import Grant
from application.projections.errors import TooManyQueries
from application.reading.annotations import Annotations
from application.reading.promql import InstantResult, Scalar
from application.reading.promql_errors import QueryTimedOut
from application.reading.promql_queries import PromqlQueries
from application.reading.query_budget import QueryLimits
from application.reading.query_threads import QueryThreads
from tests.application.doubles import FakeMonotonic, OnePromql


class Busy:
    """A call that keeps its thread until it may finish."""

    def __init__(self) -> None:
        self._started, self._finish = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self._started.set()
        self._finish.wait()

    async def occupy(self, threads: QueryThreads) -> asyncio.Task[None]:
        task = asyncio.create_task(threads.run(self))
        await asyncio.to_thread(self._started.wait)
        return task

    def finish(self) -> None:
        self._finish.set()


def test_no_more_calls_run_than_there_are_threads_even_if_their_callers_gave_up() -> None:
    async def scenario() -> None:
        threads, busy = QueryThreads(1, patience=0.05), Busy()
        given_up = await busy.occupy(threads)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        with pytest.raises(TooManyQueries, match=r"waiting for 0\.05 s"):
            await threads.run(lambda: None)
        waiting = asyncio.create_task(threads.run(lambda: "answer"))
        busy.finish()
        assert await waiting == "answer"
        threads.close()

    asyncio.run(scenario())


def test_thirty_queries_at_once_are_answered_in_order() -> None:
    async def scenario() -> None:
        threads, busy = QueryThreads(1), Busy()
        first = await busy.occupy(threads)
        begun: list[int] = []
        others = [
            asyncio.create_task(threads.run(lambda number=number: begun.append(number)))  # type: ignore[misc]
            for number in range(30)
        ]
        await asyncio.sleep(0)
        busy.finish()
        await asyncio.gather(first, *others)
        assert begun == list(range(30))
        threads.close()

    asyncio.run(scenario())


def test_a_full_queue_refuses_at_once_and_takes_more_when_one_has_gone() -> None:
    async def scenario() -> None:
        threads, busy = QueryThreads(1, queue=2), Busy()
        running = await busy.occupy(threads)
        first, second = (asyncio.create_task(threads.run(lambda: "answer")) for _ in range(2))
        await asyncio.sleep(0)
        with pytest.raises(TooManyQueries, match="2 queries are waiting"):
            await threads.run(lambda: None)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        third = asyncio.create_task(threads.run(lambda: "answer"))
        await asyncio.sleep(0)
        busy.finish()
        await running
        assert [await second, await third] == ["answer", "answer"]
        threads.close()

    asyncio.run(scenario())


def test_without_a_queue_a_free_thread_still_answers() -> None:
    async def scenario() -> None:
        threads = QueryThreads(1, queue=0)
        assert await threads.run(lambda: "answer") == "answer"
        threads.close()

    asyncio.run(scenario())


GILT = Grant("gilt", None, "t1")


def same(result: InstantResult, _: Annotations) -> InstantResult:
    return result


def queries(threads: QueryThreads, clock: FakeMonotonic) -> PromqlQueries:
    return PromqlQueries(
        OnePromql(),
        MemorySeriesSource(),
        MemoryReadModel(),
        threads,
        QueryLimits(),
        monotonic=clock,
    )


def test_the_time_that_a_client_allows_includes_waiting() -> None:
    async def scenario() -> None:
        clock, threads, busy = FakeMonotonic(), QueryThreads(1), Busy()
        running = await busy.occupy(threads)
        promql = queries(threads, clock)
        asked = asyncio.create_task(promql.instant(GILT, "1", 0, same, seconds=20))
        unlimited = asyncio.create_task(promql.instant(GILT, "1", 0, same))
        await asyncio.sleep(0)
        clock.seconds += 21
        busy.finish()
        await running
        with pytest.raises(QueryTimedOut, match="timed out"):
            await asked
        assert await unlimited == Scalar(0, 1.0)
        threads.close()

    asyncio.run(scenario())


def test_a_client_whose_time_is_over_while_it_waits_gets_a_timeout() -> None:
    async def scenario() -> None:
        clock, threads, busy = FakeMonotonic(), QueryThreads(1), Busy()
        running = await busy.occupy(threads)
        with pytest.raises(QueryTimedOut, match="waited for its turn"):
            await queries(threads, clock).instant(GILT, "1", 0, same, seconds=0.02)
        busy.finish()
        await running
        threads.close()

    asyncio.run(scenario())
