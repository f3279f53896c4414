"""Where appends go: one connection for all partitions, or one per master of a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from adapters.redis_streams.cluster import slot_of
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.metrics.append_connection import (
    AppendConnection,
    PreparePartitions,
)
from adapters.redis_streams.metrics.cluster_appends import ClusterAppends
from adapters.redis_streams.metrics.link import Command
from application.event_log.durability import Durability


class PartitionConnection(Protocol):
    """Sends the commands of a partition to the server that has it; see `AppendConnection`."""

    def send(self, command: Command) -> asyncio.Future[Any]: ...

    def append(self, packed: bytes) -> asyncio.Future[Any]: ...


class Appends(Protocol):
    """The connections for appends. For one event loop."""

    def of(self, partition: int) -> PartitionConnection:
        """Return the connection to use for a partition, always the same."""

    async def append_together(self, packed: Sequence[tuple[int, bytes]]) -> list[Any]:
        """Send packed commands that write, each to the partition before it, in this order.

        Returns the reply to each, or the error that the future of its `append` would raise.
        Raises LogUnavailable or LogSaturated if nothing was sent.
        """

    async def open(self) -> None:
        """Connect. Raises LogUnavailable, but keeps trying."""

    async def failures(self) -> Sequence[str]:
        """Return why something cannot be appended now, per server. Never raises."""

    async def close(self) -> None:
        """Disconnect once everything has been answered."""


class OneServer:
    """Implements Appends over one connection."""

    def __init__(self, connection: AppendConnection) -> None:
        self._connection = connection

    def of(self, partition: int) -> PartitionConnection:  # noqa: ARG002  it has them all
        return self._connection

    async def append_together(self, packed: Sequence[tuple[int, bytes]]) -> list[Any]:
        return await self._connection.append_together([command for _, command in packed])

    async def open(self) -> None:
        await self._connection.open()

    async def failures(self) -> Sequence[str]:
        return [] if await self._connection.answers() else ["the event log does not answer"]

    async def close(self) -> None:
        await self._connection.close()


def appends_to(
    connections: Connections,
    logs: Sequence[str],
    *,
    max_waiting: int,
    prepare: PreparePartitions,
    durability: Durability,
) -> Appends:
    """Return the connections for appends to partitions, given the keys of their streams.

    `prepare` runs before partitions are appended to over a new connection.
    """
    if connections.topology is not None:
        return ClusterAppends(
            connections.topology,
            connections.address(),
            list(map(slot_of, logs)),
            max_waiting=max_waiting,
            prepare=prepare,
            durability=durability,
        )
    partitions = range(len(logs))
    return OneServer(
        AppendConnection(
            connections,
            max_waiting=max_waiting,
            prepare=lambda send: prepare(partitions, send),
            durability=durability,
        )
    )
