"""Clients as processes that tests start, disturb and stop."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from adapters.embedded_valkey import tied_to_parent
from tests.service import clean_environment

STOP_SECONDS = 30.0


class Client:
    """A client's process, which ends with the tests.

    Its output goes to two files in `directory`, over all starts.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = [str(part) for part in command]
        self._directory = directory
        self._out = directory / "client.out"
        self._errors = directory / "client.err"
        self._environment = {
            name: value
            for name, value in clean_environment().items()
            # These would configure the clients, and redirect what they send.
            if not name.startswith("OTEL_") and not name.lower().endswith("_proxy")
        } | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self._out.open("ab") as out, self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=self._environment,
                cwd=self._directory,
                process_group=0,
                preexec_fn=tied_to_parent(signal.SIGKILL),
            )

    def stop(self) -> None:
        """Ask it to end, and wait until it has. Does nothing if it has ended."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it with its children, and wait for it. Does nothing if it has ended."""
        self._end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait until it has ended by itself; it must succeed."""
        assert self._process is not None
        assert self._process.wait(STOP_SECONDS * 2) == 0, self.errors()[-3000:]

    def runs(self) -> bool:
        """Return whether it is running. Raises AssertionError if it failed."""
        assert self._process is not None
        status = self._process.poll()
        assert not status, self.errors()[-3000:]
        return status is None

    def output(self) -> str:
        """Return its standard output, over all starts."""
        return self._out.read_text()

    def errors(self) -> str:
        """Return its standard error, over all starts."""
        return self._errors.read_text()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, number)
            self._process.wait(STOP_SECONDS)


StartClient = Callable[..., Client]


def listens(port: int) -> bool:
    """Return whether somebody listens on a port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
