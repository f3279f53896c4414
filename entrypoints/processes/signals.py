"""Signals for a loop that waits: asked to stop, or told that a child ended."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any, Self

STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Within the `with` block counts SIGTERM, SIGINT and SIGHUP, and wakes `wait` up for SIGCHLD.

    For the main thread, like all handling of signals. The former handlers come back afterwards.
    """

    def __init__(self) -> None:
        self.stops = 0
        self._former: dict[int, Any] = {}
        self._former_wakeup = -1
        self._read = self._write = -1

    def __enter__(self) -> Self:
        """Take the signals over."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        os.set_blocking(self._write, False)
        self._former_wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in STOPPING:
            self._former[number] = signal.signal(number, self._count)
        self._former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, _wake_up)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give them back."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_wakeup)
        os.close(self._read)
        os.close(self._write)

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a signal comes; one that came since the last wait counts."""
        if select.select([self._read], [], [], seconds)[0]:
            os.read(self._read, 4096)

    def _count(self, _number: int, _frame: FrameType | None) -> None:
        self.stops += 1


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler makes Python write to the wakeup pipe."""
