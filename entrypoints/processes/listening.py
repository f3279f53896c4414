"""The listening sockets of `cave serve`, one per worker."""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from contextlib import suppress
from typing import NamedTuple

BACKLOG = 2048

SO_ATTACH_FILTER = 26
"""From Linux's asm-generic/socket.h; Python's `socket` does not name it."""

DROP_OPENING = (
    (0x30, 0, 0, 13),  # load the TCP header's byte of flags
    (0x45, 0, 1, 0x02),  # go on if SYN is set, else skip one instruction
    (0x06, 0, 0, 0),  # drop the segment
    (0x06, 0, 0, 0xFFFFFFFF),  # take all of it
)
"""A socket filter of Linux's (socket(7)): `struct sock_filter` as code, jt, jf and k."""


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


def refuse_new(listener: socket.socket) -> None:
    """Let no further connection be opened, but let those being opened become ready to be accepted.

    Closing a listening socket resets the connections that wait on it, also one that came after the
    last look. Once none can come, all can be accepted before the socket is closed. The client of a
    dropped segment sends it again, and meets another process's socket or is refused.

    Does nothing where sockets have no filters, which Linux's have.
    """
    if sys.platform != "linux":
        return
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in DROP_OPENING)
    held = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("HP", len(DROP_OPENING), ctypes.addressof(held))
    with suppress(OSError):  # a kernel built without filters, or a sandbox that forbids them
        listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


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
