"""A child of `cave serve` that reports through one pipe that it is ready, and stops by another."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from adapters.embedded_valkey import tied_to_parent
from entrypoints.processes.child import LaunchFailed
from entrypoints.stop_signals import STOPPING

READY = b"ready\n"
"""The line that reports a child ready."""

SUPERVISOR_FD = 0
"""The child's standard input. Nothing is written to it: end of file asks the child to stop."""


def python_module(name: str) -> tuple[str, ...]:
    """Return the command line of one of our modules, without the working directory on its path."""
    return (sys.executable, "-P", "-m", name)


class Program:
    """A `Process` of `entrypoints.processes.child` from a command line.

    `environment` is called with the number of an inherited pipe, and returns variables to add to
    those of this process. The program writes `READY` to the pipe when it is ready, or a line with
    the reason if it never will be. It inherits `sockets`, which this process closes when it asks
    the program to stop. Its standard output goes to standard error.

    End of file on its standard input asks it to stop, also when this process dies. It ignores
    signals that ask to stop: only this process decides when it stops. So does it SIGTTOU, with
    which `stty tostop` stops processes in the background that write to the terminal.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        environment: Callable[[int], Mapping[str, str]],
        sockets: Sequence[socket.socket] = (),
    ) -> None:
        self.name = name
        self._argv = list(argv)
        self._environment = environment
        self._sockets = list(sockets)
        self._process: subprocess.Popen[bytes] | None = None
        self._ready_pipe = -1
        self._failure = ""

    @property
    def pid(self) -> int | None:
        """The id of the latest process, None before the first."""
        return None if self._process is None else self._process.pid

    def launch(self) -> None:
        """Start a process with new pipes. Raises `LaunchFailed`."""
        self._close_pipe()
        self._close_input()
        self._failure = ""
        self._ready_pipe, theirs = os.pipe()
        os.set_blocking(self._ready_pipe, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own program
                self._argv,
                env={**os.environ, **self._environment(theirs)},
                stdin=subprocess.PIPE,
                stdout=2,
                pass_fds=[theirs, *(inherited.fileno() for inherited in self._sockets)],
                process_group=0,
                preexec_fn=tied_to_parent(None, ignored=(*STOPPING, signal.SIGTTOU)),
            )
        except OSError as error:
            raise LaunchFailed(f"cannot start {self._argv[0]}: {error}") from error
        finally:
            os.close(theirs)

    def is_ready(self) -> bool:
        """Return whether the program has reported itself ready. Not to be called after that.

        Any other line is the reason why it never will be.
        """
        try:
            line = os.read(self._ready_pipe, 4096)
        except BlockingIOError:
            return False
        if line and line != READY:
            self._failure = line.decode(errors="replace").strip()
        return line == READY

    def poll(self) -> int | None:
        """The exit status of the latest process, None while it runs."""
        return None if self._process is None else self._process.poll()

    def why_ended(self) -> str:
        """Return its own reason, the signal that ended it, or its exit status."""
        if self._ready_pipe >= 0:
            self.is_ready()
        if self._failure:
            return self._failure
        status = self.poll()
        if status is not None and status < 0:
            return f"it was ended by a signal: {signal.strsignal(-status) or -status}"
        return f"it ended with exit status {status}; its log may say why"

    def terminate(self) -> None:
        """Ask it to stop, and close our copies of its sockets: no connection may wait on them."""
        # The sockets first: the last process to close one answers the connections that wait on it,
        # and that must be the program.
        for inherited in self._sockets:
            inherited.close()
        self._close_pipe()
        self._close_input()

    def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.kill()

    def _close_input(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    def _close_pipe(self) -> None:
        if self._ready_pipe >= 0:
            os.close(self._ready_pipe)
            self._ready_pipe = -1
