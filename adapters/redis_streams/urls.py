"""URLs that name several servers: Sentinels, or nodes of a cluster."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct
from redis.connection import parse_url

Address = tuple[str, int]

_host = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:/@\s]+)(?::([0-9]{1,5}))?\Z").match


class ServersUrl(Struct, frozen=True):
    """The parts of ``redis[s]+kind://[user:password@]host[:port][,host[:port]…][/path][?options]``.

    `options` are redis-py's for connections, user and password included.
    """

    addresses: tuple[Address, ...]
    path: str
    tls: bool
    options: dict[str, Any]

    @classmethod
    def parse(cls, url: str, kind: str, *, port: int, what: str) -> ServersUrl:
        """Parse a URL; hosts without a port get `port`, and `what` says in errors what they are.

        Raises ValueError, whose message has no secret of the URL.
        """
        if not (scheme := _scheme(url, kind)):
            raise ValueError(f"the URL does not begin with redis+{kind}:// or rediss+{kind}://")
        before, _, query = url[scheme.end() :].partition("?")
        authority, _, path = before.partition("/")
        user, _, hosts = authority.rpartition("@")
        plain = f"redis://{user}{'@' if user else ''}server?{query}"
        options: dict[str, Any] = parse_url(plain)  # type: ignore[no-untyped-call]
        del options["host"]
        addresses = tuple(_address(host, port, what) for host in hosts.split(","))
        return cls(addresses, path, bool(scheme[1]), options)


def is_url_of(kind: str, url: str) -> bool:
    """Return whether a URL is ``redis+kind://…`` or ``rediss+kind://…``."""
    return bool(_scheme(url, kind))


def _scheme(url: str, kind: str) -> re.Match[str] | None:
    return re.match(rf"redis(s?)\+{kind}://", url, re.IGNORECASE)


def _address(text: str, port: int, what: str) -> Address:
    match = _host(text)
    if not match or not 0 < int(match[2] or port) < 1 << 16:
        raise ValueError(f"{text!r} is not the address of {what} (host or host:port)")
    return match[1].strip("[]"), int(match[2] or port)
