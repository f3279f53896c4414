"""A thread pool for queries only: nothing else waits for them, however long they take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from application.projections.errors import TooManyQueries

PATIENCE = 1.0
"""Seconds that a query waits for a thread. Clients give up, so a longer queue would not help."""

T = TypeVar("T")


class QueryThreads:
    """Runs at most `threads` blocking calls concurrently: the limit of a worker's queries.

    For one event loop; close it after use.
    """

    def __init__(self, threads: int, *, patience: float = PATIENCE) -> None:
        self._executor = ThreadPoolExecutor(threads, "query")
        self._free = asyncio.Semaphore(threads)
        self._patience = patience

    async def run(self, call: Callable[[], T]) -> T:
        """Run the call and return its result. Raises what it raises, and TooManyQueries."""
        try:
            async with asyncio.timeout(self._patience):
                await self._free.acquire()
        except TimeoutError:
            raise TooManyQueries("too many queries are running; try again") from None
        loop = asyncio.get_running_loop()
        future = self._executor.submit(call)
        # Not released when the caller is cancelled: the thread is busy until the call returns.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._free.release))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the running calls, and cancel those that have not started."""
        self._executor.shutdown(cancel_futures=True)
