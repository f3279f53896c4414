"""Child processes that do not outlive their parent and leave it to the parent when they stop."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Collection

PR_SET_PDEATHSIG = 1


def tied_to_parent(
    ended_by: signal.Signals | None = signal.SIGTERM,
    *,
    blocked: Collection[signal.Signals] = (),
    ignored: Collection[signal.Signals] = (),
) -> Callable[[], None]:
    """Return a `preexec_fn` for a child that is to end with the calling process.

    On Linux the child gets the signal `ended_by` when the thread that started it ends, however that
    happens; start children from a thread that lasts. Elsewhere, and with None, it gets none.

    Process managers may signal all processes of a service at once. With those signals `blocked` or
    `ignored`, the parent decides the order in which children end; a program that installs its own
    handlers needs them blocked. Also start the child in a process group of its own, so that the
    terminal's signals do not reach it. Not in a session: on Linux each session gets an equal share
    of a busy processor, whatever the niceness of its processes.
    """
    parent = os.getpid()
    # Loaded before the fork: as little as possible may happen after it.
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def before_exec() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        if libc is not None and ended_by is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(ended_by), 0, 0, 0)
        if os.getppid() != parent:  # it died before the signal was set up
            os._exit(1)

    return before_exec
