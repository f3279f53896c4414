"""How much of the processors' time the service takes, and how much all other processes."""

from __future__ import annotations

import math
import os
import threading
import time
from typing import Any, NamedTuple

import psutil

EVERY = 1.0
"""Seconds over which shares are taken, at least."""

LIST_EVERY = 5.0
"""Seconds after which the service's processes are listed again, which takes milliseconds."""


class Shares(NamedTuple):
    """Shares of the time of the processors that this process may use, from 0 to 1."""

    ours: float
    others: float


class _Used(NamedTuple):
    """Seconds of the processors' time until now: of all processes, and of the service's own."""

    at: float
    by_all: float
    by_us: float


class ProcessorTime:
    """Looks at the processors that this process may use. Thread-safe; for Linux.

    The service's own processes are `root` and its descendants.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._shares = Shares(0.0, 0.0)
        self._listed = -math.inf
        self._processes: list[psutil.Process] = []
        self._before = self._used()

    def shares(self) -> Shares:
        """Return the shares between two earlier calls, or between an earlier one and this one."""
        with self._lock:
            if time.monotonic() - self._before.at >= EVERY:
                self._look()
            return self._shares

    def _look(self) -> None:
        now, before = self._used(), self._before
        ours = max(0.0, now.by_us - before.by_us)  # less than nothing once a process has ended
        others = max(0.0, now.by_all - before.by_all - ours)
        time_there_was = (now.at - before.at) * len(_processors())
        self._shares = Shares(ours / time_there_was, others / time_there_was)
        self._before = now

    def _used(self) -> _Used:
        now = time.monotonic()
        if now - self._listed >= LIST_EVERY:
            self._listed, self._processes = now, self._list()
        ours = _processors()
        every = enumerate(psutil.cpu_times(percpu=True))
        by_all = sum(_busy(times) for number, times in every if number in ours)
        return _Used(now, by_all, sum(map(_seconds, self._processes)))

    def _list(self) -> list[psutil.Process]:
        try:
            root = psutil.Process(self._root)
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return [psutil.Process()]


def _processors() -> set[int]:
    return os.sched_getaffinity(0)


def _busy(times: Any) -> float:
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
