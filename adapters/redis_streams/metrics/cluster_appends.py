"""Appends to a cluster: a connection per master, shared by the partitions that it has."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from msgspec import Struct
from redis.exceptions import RedisError

from adapters.redis_streams.cluster import Slots, Topology
from adapters.redis_streams.metrics.append_connection import (
    AppendConnection,
    PreparePartitions,
    soon,
)
from adapters.redis_streams.metrics.link import Link
from adapters.redis_streams.metrics.slot_connection import SlotConnection
from adapters.redis_streams.urls import Address
from application.errors import LogError, LogUnavailable
from application.event_log.durability import NO_REPLICAS, Durability

LEAVE_SECONDS = 1.0
"""How long a server that has lost its last partition may take to answer what it got before."""


class ClusterAppends:
    """Implements the protocol Appends over the masters of a cluster. For one event loop.

    `slots` are those of the partitions. `options` are those of `Connections.address`.
    """

    def __init__(
        self,
        topology: Topology,
        options: Mapping[str, Any],
        slots: Sequence[int],
        *,
        max_waiting: int,
        prepare: PreparePartitions,
        durability: Durability = NO_REPLICAS,
    ) -> None:
        self._topology = topology
        self._options = options
        self._slots = slots
        self._max_waiting = max_waiting
        self._durability = durability
        self._partitions = [
            SlotConnection(self, partial(prepare, [partition]), max_waiting)
            for partition in range(len(slots))
        ]
        self._nodes: dict[Address, AppendConnection] = {}
        self._once_masters: set[Address] = set()
        self._change = asyncio.Event()
        self._closed = False

    def of(self, partition: int) -> SlotConnection:
        return self._partitions[partition]

    async def append_together(self, packed: Sequence[tuple[int, bytes]]) -> list[Any]:
        sent = [self._sent(partition, command) for partition, command in packed]
        if futures := [each for each in sent if not isinstance(each, LogError)]:
            await asyncio.wait(futures)
        return [
            each if isinstance(each, LogError) else each.exception() or each.result()
            for each in sent
        ]

    def _sent(self, partition: int, packed: bytes) -> asyncio.Future[Any] | LogError:
        try:
            return self._partitions[partition].append(packed)
        except LogError as error:
            return error

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._topology.listen(lambda slots: soon(loop, self._use, slots))
        try:
            self._use(await asyncio.to_thread(self._topology.where))
        except RedisError as error:
            raise LogUnavailable(f"the event log cannot be reached: {error}") from error
        await asyncio.gather(*(partition.ready() for partition in self._partitions))

    async def failures(self) -> Sequence[str]:
        partitions: defaultdict[Address | None, list[int]] = defaultdict(list)
        for number, partition in enumerate(self._partitions):
            partitions[partition.master].append(number)
        found = await asyncio.gather(*map(self._failure_of, partitions, partitions.values()))
        return [failure for failure in found if failure is not None]

    async def close(self) -> None:
        await asyncio.gather(*(partition.close() for partition in self._partitions))
        self._closed = True
        await asyncio.gather(*(node.close() for node in self._nodes.values()))

    def link(self, address: Address) -> Link | None:
        node = self._nodes.get(address)
        if node is None:
            host, port = address
            node = self._nodes[address] = AppendConnection(
                _Node({**self._options, "host": host, "port": port}),
                max_waiting=self._max_waiting,
                durability=self._durability,
                on_change=self._connections_changed,
            )
            node.start()
        return node.link

    async def changed(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._change.wait()

    def refresh(self) -> None:
        self._topology.refresh()

    def _use(self, slots: Slots) -> None:
        """Go over to the masters that the nodes name now."""
        if self._closed:
            return
        for slot, partition in zip(self._slots, self._partitions, strict=True):
            partition.use(slots.master(slot))
        masters = self._masters()
        self._once_masters |= masters
        for address in self._once_masters & self._nodes.keys() - masters:
            asyncio.get_running_loop().call_later(LEAVE_SECONDS, self._leave, address)
        self._notify()

    def _leave(self, address: Address) -> None:
        """Disconnect from a server that has no partition any more, or that hangs."""
        if address in self._nodes and address not in self._masters():
            self._nodes.pop(address).abandon()

    def _masters(self) -> set[Address]:
        return {each.master for each in self._partitions if each.master is not None}

    def _connections_changed(self) -> None:
        if not self._closed:
            for partition in self._partitions:
                partition.look()
            self._topology.refresh()
            self._notify()

    def _notify(self) -> None:
        self._change.set()
        self._change = asyncio.Event()

    async def _failure_of(self, master: Address | None, partitions: Sequence[int]) -> str | None:
        which = f"partitions {', '.join(map(str, partitions))}"
        if master is None:
            return f"no server of the event log is known for {which}"
        node = self._nodes.get(master)
        if node is None or not await node.answers():
            host, port = master
            return f"the event log's server {host}:{port} does not answer ({which})"
        for partition in partitions:
            if (failure := self._partitions[partition].failure) is not None:
                return f"partition {partition} of the event log cannot be appended to: {failure}"
        return None


class _Node(Struct, frozen=True):
    """Implements the protocol Server for one node."""

    where: Mapping[str, Any]

    @property
    def moves(self) -> bool:
        return False

    def address(self) -> Mapping[str, Any]:
        return self.where

    def listen(self, listener: Callable[[Address], None]) -> None:
        """Do nothing: a node stays where it is."""
