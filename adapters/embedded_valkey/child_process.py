"""Child processes that do not outlive their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1


def tied_to_parent() -> Callable[[], None]:
    """Return a `preexec_fn` for a child that is to end with the calling process.

    On Linux the child gets a SIGTERM when the thread that started it ends, however that happens;
    start children from a thread that lasts. Elsewhere it gets none. SIGINT and SIGHUP, which a
    terminal sends to all of a process group, are blocked: it is the parent's to say who ends when.
    """
    parent = os.getpid()
    # Loaded before the fork: afterwards as little as possible may happen.
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

    def before_exec() -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        if libc is not None:
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return before_exec
