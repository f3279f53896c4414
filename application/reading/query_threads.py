"""Threads for queries, apart from all others: however long these take, nothing else waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from application.projections.errors import TooManyQueries

PATIENCE = 1.0
"""Seconds that a query waits for a thread; more would only pile up what clients gave up on."""

T = TypeVar("T")


class QueryThreads:
    """Runs at most `threads` blocking calls at once, the one limit of a worker's queries.

    For one event loop; close it after use.
    """

    def __init__(self, threads: int, *, patience: float = PATIENCE) -> None:
        self._executor = ThreadPoolExecutor(threads, "query")
        self._free = asyncio.Semaphore(threads)
        self._patience = patience

    async def run(self, call: Callable[[], T]) -> T:
        """Return what the call returns. Raises what it raises, and TooManyQueries."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise TooManyQueries("this worker runs as many queries as it may; try again") from None
        loop = asyncio.get_running_loop()
        future = self._executor.submit(call)
        # Not when the caller stops waiting: the thread is busy until the call returns.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the calls that are running."""
        self._executor.shutdown(cancel_futures=True)
