"""Waiting until replicas have what was written, before it is acknowledged.

`WAIT` blocks a connection until so many replicas have the last write of that connection in memory,
`WAITAOF` until they have fsynced it. `WAITAOF` exists since Redis 7.2 and in every Valkey.
A replica reports what it has fsynced once per second, and when it is asked, but then as of the
moment before. So `WAIT` comes first, and `WAITAOF` behind it is usually answered at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from adapters.redis_streams.clients import Client, servers_of
from adapters.redis_streams.server import has_waitaof, named
from application.event_log.durability import Durability

REPLICA_SECONDS = 1.0
"""The longest that each of the two commands waits; together less than a reply may take."""

FENCE = """#!lua flags=allow-oom
return redis.call('SET', KEYS[1], '1', 'PX', 1000)
"""
"""A script that writes. To wait for the replicas after it is to wait for every write before it,
those of other connections included, which a command that only reads does not do on each server."""


class ReplicaWait(Struct, frozen=True):
    """Waiting for replicas: the commands to send behind a write, and what their replies say.

    Without `fsynced`, replicas count as soon as they have the write in memory.
    """

    replicas: int
    fsynced: bool

    @property
    def commands(self) -> Sequence[tuple[str | int, ...]]:
        milliseconds = int(REPLICA_SECONDS * 1000)
        wait = ("WAIT", self.replicas, milliseconds)
        if not self.fsynced:
            return (wait,)
        return wait, ("WAITAOF", 1, self.replicas, milliseconds)

    def failure(self, replies: Sequence[Any]) -> str | None:
        """Return why the write is not as durable as it has to be, or None if it is.

        The replies may be exceptions of any client library.
        """
        for reply in replies:
            if isinstance(reply, Exception):
                return f"waiting for the replicas failed: {reply}"
        received = int(replies[0])
        if not self.fsynced:
            if received >= self.replicas:
                return None
            return f"{received} of {self.replicas} replicas had it within {REPLICA_SECONDS:g} s"
        local, fsynced = map(int, replies[1])
        if local and fsynced >= self.replicas:
            return None
        return (
            f"{received} of {self.replicas} replicas had it in memory and {fsynced} on disk "
            f"within {2 * REPLICA_SECONDS:g} s"
        )


def replica_wait(durability: Durability, server: Mapping[str, Any]) -> ReplicaWait | None:
    """Return how to wait for replicas, None for a local durability. `server` is INFO's section."""
    if not durability.replicas:
        return None
    return ReplicaWait(durability.replicas, has_waitaof(server))


def shortcomings(client: Client, durability: Durability) -> list[str]:
    """Describe what the servers cannot do for the durability; empty if they can do everything."""
    if not durability.replicas:
        return []
    return [
        f"{named(name)} has no WAITAOF (Redis 7.2, Valkey): with --durability {durability} an "
        f"acknowledged event is in the memory of {durability.replicas} replicas, but need not be "
        "on their disks"
        for name, server in servers_of(client).items()
        if not has_waitaof(server.info("server"))
    ]
