"""Checking whether a server answers on a Unix socket."""

from __future__ import annotations

import socket
from enum import Enum, auto
from pathlib import Path


class Answer(Enum):
    """A server's answer to a PING."""

    NONE = auto()
    LOADING = auto()
    READY = auto()


def ask(socket_path: Path, timeout: float = 1.0) -> Answer:
    """Send a PING and wait up to `timeout` seconds. A stale socket file counts as no answer."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(timeout)
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            reply = client.recv(64)
    except OSError:
        return Answer.NONE
    if reply.startswith(b"+PONG"):
        return Answer.READY
    return Answer.LOADING if reply.startswith(b"-LOADING") else Answer.NONE
