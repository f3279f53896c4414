"""Niceness that follows lag: work that is on time gives way to other processes, late work does not.

Unless it is only the service itself that keeps the processors busy: then publishing comes first,
and the projector catches up when there is less of it.

A process may always become nicer, but never less nice again without a privilege. So a thread that
has become nice stays so, for all work that is on time, and late work runs in its caller's thread.
This needs Linux, where niceness is a thread's own, and new threads have that of the thread that
starts them. Elsewhere it may be the process's.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from entrypoints.processes.processor_time import Shares

_T = TypeVar("_T")

NICENESS = 10
"""Added for work that is on time: publishing and reading come first."""

NICENESS_AMONG_US = 19
"""Added for all work while only the service itself keeps the processors busy.

If requests of one point do so on one core, four threads with this take a fifth of the time. With
10, which has seven times the weight, they take a third, and publishing is a fifth slower. But where
others begin to compete, a large commit that is under way takes seconds with 19.
"""

BUSY = 0.4
"""Share of the processors' time from which on the service, or other processes, keep them busy."""

QUIET = 0.1
"""Share of other processes below which they no longer compete, and late work is nice at once."""

LATE = 0.5
"""Seconds behind its plan from which on work counts as late. The projector plans to commit every
half second, and two seconds are promised."""

MAX_THREADS = 64
"""More than ever call at a time."""

HOLD = 30.0
"""Seconds for which late work keeps its priority once it is on time. On a machine that stays busy,
it would otherwise fall behind again at once."""


class FollowsLag:
    """Implements the port Priority. Close it after use, once no work runs.

    The lateness of any work counts for all: a nice thread may hold Python's lock, which a late one
    then waits for. `shares` says who uses the processors: late work stays nice, and all work is
    nicer, while only the service itself does. `clock` returns seconds and is monotonic.
    """

    def __init__(
        self, shares: Callable[[], Shares], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shares = shares
        self._clock = clock
        self._late_until = -math.inf
        self._nice = _nice_threads(NICENESS)
        self._nicer = _nice_threads(NICENESS_AMONG_US)

    def run(self, work: Callable[[], _T], late: float = 0.0) -> _T:
        now = self._clock()
        ours, others = self._shares()
        if late >= LATE and others >= BUSY:
            self._late_until = now + HOLD
        elif others < QUIET:
            self._late_until = -math.inf
        if now < self._late_until:
            return work()
        threads = self._nicer if ours >= BUSY > others else self._nice
        return threads.submit(work).result()

    def close(self) -> None:
        """End the nice threads."""
        self._nice.shutdown()
        self._nicer.shutdown()


def _nice_threads(niceness: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(
        MAX_THREADS, thread_name_prefix="nice", initializer=os.nice, initargs=(niceness,)
    )
