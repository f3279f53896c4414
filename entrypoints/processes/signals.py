"""Waiting for a request to stop, or for the end of a child."""

from __future__ import annotations

import os
import select
import signal
from contextlib import ExitStack
from types import FrameType, TracebackType
from typing import Self

from entrypoints.stop_signals import on_stop


class Signals:
    """Within the `with` block counts requests to stop, and wakes `wait` up for SIGCHLD.

    A request is a signal (see `entrypoints.stop_signals`), or the end of the file `supervisor_fd`,
    which the supervisor keeps open while this process is to run. For the main thread, like all
    handling of signals. The former handlers are
    restored afterwards.
    """

    def __init__(self, supervisor_fd: int | None = None) -> None:
        self.stops = 0
        self._supervisor_fd = supervisor_fd
        self._read = self._write = -1
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Install the handlers."""
        with ExitStack() as stack:
            self._read, self._write = os.pipe()
            stack.callback(os.close, self._read)
            stack.callback(os.close, self._write)
            os.set_blocking(self._read, False)
            os.set_blocking(self._write, False)
            stack.callback(
                signal.set_wakeup_fd,
                signal.set_wakeup_fd(self._write, warn_on_full_buffer=False),
            )
            stack.callback(signal.signal, signal.SIGCHLD, signal.signal(signal.SIGCHLD, _wake_up))
            stack.enter_context(on_stop(self._count))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore the former handlers."""
        self._stack.close()

    def wait(self, seconds: float) -> None:
        """Wait until a signal or the supervisor's request comes, at most for `seconds`.

        One that came since the last wait counts.
        """
        watched = [self._read]
        if self._supervisor_fd is not None:
            watched.append(self._supervisor_fd)
        ready = select.select(watched, [], [], seconds)[0]
        if self._read in ready:
            os.read(self._read, 4096)
        if self._supervisor_fd in ready and not os.read(self._supervisor_fd, 4096):
            self._supervisor_fd = None
            self.stops += 1

    def _count(self, _number: int) -> None:
        self.stops += 1


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: Python writes to the wakeup pipe only if the signal has a handler."""
