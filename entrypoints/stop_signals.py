"""The signals that ask a process to stop, and their handling in all processes and commands.

A signal that was ignored when the process started stays ignored: `nohup`, and shells that run a
background job, rely on that. One stop may arrive as several signals, to the process and to its
group (`timeout` sends both), so signals close together count as one.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

ENDING = (*STOPPING, signal.SIGQUIT, signal.SIGXCPU)
"""Signals that end a process by default, where it may have to clean up first."""

APART_SECONDS = 0.5
"""A signal that comes sooner than this after the last counted one is part of the same stop."""


@contextmanager
def on_stop(
    asked: Callable[[int], None], signals: Iterable[signal.Signals] = STOPPING
) -> Iterator[None]:
    """Call `asked` with the number of each of the signals that arrives within the block.

    `asked` runs in a signal handler, so it may raise. For the main thread. The former handlers are
    restored afterwards.
    """
    last = -APART_SECONDS

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= APART_SECONDS:
            last = now
            asked(number)

    former: dict[signal.Signals, Any] = {}
    try:
        for number in signals:
            if signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, handle)
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
