"""A thread pool for queries only: nothing else waits for them, however long they take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from application.projections.errors import TooManyQueries

QUEUE = 100
"""Queries that wait for a thread at the same time: a few dashboards."""

PATIENCE = 30.0
"""Seconds that a query waits for a thread. Clients such as Grafana give up after as long."""

T = TypeVar("T")


class QueryThreads:
    """Runs at most `threads` blocking calls concurrently: the limit of a worker's queries.

    Others wait for their turn, in order: at most `queue` of them, each for at most `patience`
    seconds. For one event loop; close it after use.
    """

    def __init__(self, threads: int, *, queue: int = QUEUE, patience: float = PATIENCE) -> None:
        self._executor = ThreadPoolExecutor(threads, "query")
        self._free = asyncio.Semaphore(threads)
        self._queue = queue
        self.patience = patience
        self._waiting = 0

    async def run(self, call: Callable[[], T], *, patience: float | None = None) -> T:
        """Run the call and return its result. Raises what it raises, and TooManyQueries.

        `patience` are the seconds that this call may wait, if less than the others.
        """
        await self._turn(self.patience if patience is None else min(patience, self.patience))
        loop = asyncio.get_running_loop()
        future = self._executor.submit(call)
        # Not released when the caller is cancelled: the thread is busy until the call returns.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        return await asyncio.wrap_future(future)

    async def _turn(self, seconds: float) -> None:
        if self._free.locked() and self._waiting >= self._queue:
            raise TooManyQueries(f"{self._waiting} queries are waiting already; try again later")
        self._waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise TooManyQueries(
                f"other queries kept this one waiting for {seconds:g} s; try again later"
            ) from None
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Wait for the running calls, and cancel those that have not started."""
        self._executor.shutdown(cancel_futures=True)
