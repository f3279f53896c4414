"""Niceness that follows lag: work that is on time gives way to other processes, late work does not.

A process may always become nicer, but never less nice again without a privilege. So a thread that
has become nice stays so, for all work that is on time, and late work runs in its caller's thread.
On Linux, niceness is a thread's own, and new threads have that of the thread that starts them.
Elsewhere it may be the process's, so there nothing becomes nice.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")

NICENESS = 10
"""Added for work that is on time: publishing and reading come first."""

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
    then waits for. `clock` returns seconds and is monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._late_until = -float("inf")
        self._nice = ThreadPoolExecutor(
            MAX_THREADS, thread_name_prefix="nice", initializer=_become_nice
        )

    def run(self, work: Callable[[], _T], late: float = 0.0) -> _T:
        now = self._clock()
        if late >= LATE:
            self._late_until = now + HOLD
        if now < self._late_until:
            return work()
        return self._nice.submit(work).result()

    def close(self) -> None:
        """End the nice threads."""
        self._nice.shutdown()


def _become_nice() -> None:
    if sys.platform == "linux":
        os.nice(NICENESS)
