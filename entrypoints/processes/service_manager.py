"""Telling systemd, or another service manager that asks for it, when this process is ready.

Source: sd_notify(3), "Notes": a datagram to the socket that the variable NOTIFY_SOCKET names.
"""

from __future__ import annotations

import os
import socket

import structlog

VARIABLE = "NOTIFY_SOCKET"
READY = "READY=1"
STOPPING = "STOPPING=1"

_log = structlog.get_logger(__name__)


class ServiceManager:
    """The manager that started this process, or none.

    The variable is removed from the environment: only this process speaks for the service, not its
    children.
    """

    def __init__(self) -> None:
        self._address = os.environ.pop(VARIABLE, "")

    def ready(self) -> None:
        """Say that the service is ready."""
        self._say(READY)

    def stopping(self) -> None:
        """Say that the service stops."""
        self._say(STOPPING)

    def _say(self, state: str) -> None:
        if not self._address:
            return
        # An `@` at the beginning stands for the null byte of an abstract socket.
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.connect(address)
                sender.sendall(state.encode())
        except OSError as error:
            _log.warning("the service manager cannot be notified", state=state, reason=str(error))
