"""The embedded log server as a child of `cave serve`."""

from __future__ import annotations

from adapters.embedded_valkey import (
    DataDirUnusable,
    EmbeddedValkey,
    LogCorrupt,
    LogServerFailed,
)
from entrypoints.processes.child import ChildFailed, LaunchFailed


class LogServer:
    """`EmbeddedValkey` as a `Process` of `entrypoints.processes.child`."""

    name = "log-server"

    def __init__(self, server: EmbeddedValkey) -> None:
        self._server = server
        self._refusal = ""
        self.poll = server.poll
        self.terminate = server.terminate
        self.kill = server.kill

    @property
    def pid(self) -> int | None:
        """The id of the latest process, None before the first."""
        return self._server.pid

    def launch(self) -> None:
        """Start a process without waiting for it."""
        self._refusal = ""
        try:
            self._server.launch()
        except DataDirUnusable as error:
            raise LaunchFailed(str(error)) from error

    def is_ready(self) -> bool:
        """Whether it answers. Raises `ChildFailed` if it refuses its files."""
        try:
            return self._server.is_ready()
        except LogCorrupt as error:
            raise ChildFailed(str(error)) from error
        except (LogServerFailed, DataDirUnusable) as error:
            self._refusal = str(error)
            return False

    def why_ended(self) -> str:
        """Return why it did not start, else the last error in its log."""
        return self._refusal or self._server.why_ended()
