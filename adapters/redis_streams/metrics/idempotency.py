"""Records of idempotency keys: how they are named, and how many there may be."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from adapters.redis_streams.clients import Client
from adapters.redis_streams.metrics.append_connection import milliseconds_of
from adapters.redis_streams.metrics.appends import PartitionConnection
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.server import max_memory
from application.errors import LogError
from application.publishing.ports import IdempotencyRecords

BYTES_PER_RECORD = 64
"""Memory of a record on the log server, with its share of hashes and keys.

Measured: 39 to 47 bytes from 100,000 records in one slice of time on. With 10,000 it is up to 79,
because few records then share a hash.
"""

FIELD_BYTES = 12
SLICES = 4
"""Slices per window, as in functions.lua."""

DEFAULT_MEMORY = 1 << 30
"""Bytes for records on a log server without `maxmemory`."""

DEFAULT_SHARE = 4
"""Records may take one part of this many of the log server's `maxmemory`."""


def record_limit(client: Client, memory: int | None) -> int:
    """Return how many records fit into `memory` bytes, at least 1.

    None is a quarter of the log server's `maxmemory`, or 1 GiB if it has none.
    """
    if memory is None:
        memory = (max_memory(client) or 0) // DEFAULT_SHARE or DEFAULT_MEMORY
    return max(memory // BYTES_PER_RECORD, 1)


def record_field(organization: str, key: str) -> bytes:
    """Return the field of a record: 12 bytes of a digest of organization and key."""
    return sha256(f"{organization}\n{key}".encode()).digest()[:FIELD_BYTES]


class RecordCounts:
    """The records of each partition and window, as of the last reading.

    A partition's own count in a window is checked on the server, for each append. This provides
    what the others leave of `limit`.
    """

    def __init__(
        self, keys: MetricKeys, partitions: int, windows_ms: Sequence[int], limit: int
    ) -> None:
        self._limit = limit
        self._indexes = {
            (partition, window_ms): keys.idempotency_index(partition, window_ms)
            for partition in range(partitions)
            for window_ms in windows_ms
        }
        self._counts = dict.fromkeys(self._indexes, 0)

    @property
    def now(self) -> IdempotencyRecords:
        return IdempotencyRecords(sum(self._counts.values()), self._limit)

    def allowed(self, partition: int, window_ms: int) -> int:
        """Return how many records a partition may have for a window."""
        return self._limit - sum(self._counts.values()) + self._counts[partition, window_ms]

    async def read(self, connections: Sequence[PartitionConnection]) -> None:
        """Read the counts, given the connections of the partitions.

        Keeps those that it has of servers that do not answer.
        """
        by_connection: defaultdict[PartitionConnection, list[tuple[int, int]]] = defaultdict(list)
        for index in self._indexes:
            by_connection[connections[index[0]]].append(index)
        await asyncio.gather(*(self._read(*each) for each in by_connection.items()))

    async def _read(
        self, connection: PartitionConnection, counted: Sequence[tuple[int, int]]
    ) -> None:
        try:
            commands = [("TIME",), *(("HGETALL", self._indexes[index]) for index in counted)]
            time, *found = await asyncio.gather(*map(connection.send, commands))
            now = milliseconds_of(time)
            for (partition, window_ms), index in zip(counted, found, strict=True):
                self._counts[partition, window_ms] = self._count(index, window_ms, now)
        except (LogError, TypeError, ValueError):
            return

    def _count(self, index: list[bytes], window_ms: int, now: int) -> int:
        """Return the records in slices that have not ended before the window."""
        pairs: Any = zip(index[::2], index[1::2], strict=True)
        width = window_ms / SLICES
        return sum(
            int(count)
            for slice_, count in pairs
            if slice_.isdigit() and (int(slice_) + 1) * width > now - window_ms
        )
