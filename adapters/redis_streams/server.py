"""The version and settings that log servers need so that nothing acknowledged is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from adapters.redis_streams.clients import Client, servers_of
from application.errors import LogUnfit

MIN_VERSION = {"redis": (7, 0), "valkey": (8, 0)}
WAITAOF_SINCE = {"redis": (7, 2), "valkey": (7, 2)}

REQUIRED = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory-policy": "noeviction",
}


def check_version(client: Client) -> None:
    """Raise LogUnfit for a server older than Redis 7.0 or Valkey 8."""
    for name, server in servers_of(client).items():
        kind, version = _version(server.info("server"))
        least = MIN_VERSION[kind]
        if version < least:
            found, wanted = (".".join(map(str, numbers)) for numbers in (version, least))
            raise LogUnfit(f"{named(name)} is {kind} {found}; {kind} {wanted} or later is required")


def named(name: str) -> str:
    """Return how a message names a server of `servers_of`."""
    return f"the log server {name}" if name else "the log server"


def has_waitaof(server: Mapping[str, Any]) -> bool:
    """Return whether a server, given its INFO section `server`, has the command WAITAOF."""
    kind, version = _version(server)
    return version >= WAITAOF_SINCE[kind]


def history_of(server: Mapping[str, Any]) -> str:
    """Return a text that changes if the server is another process, or was promoted.

    `server` has the fields of INFO's sections `server` and `replication`.
    """
    return f"{server['run_id']} {server['master_replid']}"


def info_fields(reply: bytes) -> dict[str, str]:
    """Return the fields of a raw reply to INFO."""
    lines = reply.decode(errors="replace").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def _version(server: Mapping[str, Any]) -> tuple[str, tuple[int, ...]]:
    kind = "valkey" if "valkey_version" in server else "redis"
    numbers = str(server[f"{kind}_version"]).split(".")
    return kind, tuple(map(int, numbers[:2]))


def max_memory(client: Client) -> int | None:
    """Return the bytes of memory at which the first server refuses writes, None without a limit."""
    limits = [int(each.info("memory").get("maxmemory", 0)) for each in servers_of(client).values()]
    return min((limit for limit in limits if limit), default=None)


def weaknesses(client: Client) -> list[str]:
    """Describe the settings that could lose acknowledged events; empty if there are none."""
    return [
        f"{name}: {weakness}" if name else weakness
        for name, server in servers_of(client).items()
        for weakness in _weaknesses(server)
    ]


def _weaknesses(client: Redis) -> list[str]:
    found = []
    for setting, wanted in REQUIRED.items():
        try:
            actual = client.config_get(setting).get(setting)
        except RedisError as error:
            found.append(f"{setting} could not be read ({error}); {wanted!r} is required")
            continue
        if actual != wanted:
            found.append(f"{setting} is {actual!r}; {wanted!r} is required")
    return found
