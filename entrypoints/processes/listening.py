"""The listening sockets of `cave serve`, one per worker."""

from __future__ import annotations

import socket
from typing import NamedTuple

BACKLOG = 2048


class CannotListen(Exception):
    """The address is taken, not this machine's, or not allowed."""


class Listening(NamedTuple):
    """`sockets`, all of them listening on `url`."""

    sockets: list[socket.socket]
    url: str


def listen(host: str, port: int, count: int) -> Listening:
    """Open `count` sockets on one address; the kernel spreads connections over them.

    Port 0 takes any free port. Raises `CannotListen`.
    """
    address = f"{_bracketed(host)}:{port}"
    try:
        family, where = _resolve(host, port)
        # Not shared at first, so that a port that another service shares counts as taken.
        first = _open(family, where, shared=False)
        where = (where[0], first.getsockname()[1], *where[2:])
        sockets = [first]
        if count > 1:
            first.close()
            sockets = [_open(family, where, shared=True) for _ in range(count)]
    except OSError as error:
        reason = error.strerror or str(error)
        raise CannotListen(f"cannot listen on {address}: {reason}") from error
    return Listening(sockets, f"http://{_bracketed(host)}:{where[1]}")


def _resolve(
    host: str, port: int
) -> tuple[socket.AddressFamily, tuple[str, int, *tuple[int, ...]]]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # "localhost" is an IPv4 and an IPv6 address; clients that try only one of them try IPv4.
    family, _, _, _, where = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, (str(where[0]), int(where[1]), *(int(part) for part in where[2:]))


def _open(
    family: socket.AddressFamily, where: tuple[str, int, *tuple[int, ...]], *, shared: bool
) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(where)
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
