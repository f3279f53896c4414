"""The entries of the metric log on the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError

from adapters.redis_streams.metrics.keys import MetricKeys
from application.errors import LogUnavailable
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

COUNT_PAGE = 1000
WAIT_MS = 250

_RawEntry = tuple[bytes, Mapping[bytes, bytes]]


class RedisEntryLog:
    """Implements the port EntryLog. The caller owns the client and closes it."""

    def __init__(self, client: Redis, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    def partitions(self) -> int:
        return self._partitions

    def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
        entries = self._above(partition, _event_id(partition, after), limit)
        return [Entry(_receipt(partition, event_id), fields) for event_id, fields in entries]

    def wait_for_entries(self, after: Sequence[int]) -> Sequence[int]:
        positions: dict[Any, Any] = {
            self._keys.log(partition).encode(): _event_id(partition, position)
            for partition, position in enumerate(after)
        }
        with _translated():
            found = self._client.xread(positions, count=1, block=WAIT_MS)
        logs = list(positions)
        return [logs.index(log) for log, _ in cast("list[tuple[bytes, object]]", found)]

    def count(self, partition: int, after: int = 0) -> int:
        if after == 0:
            with _translated():
                return int(self._client.xlen(self._keys.log(partition)))
        count = 0
        event_id = _event_id(partition, after)
        # Pages by id, since with a sequence of 2^20 or more a position may not exceed the last one.
        while page := self._above(partition, event_id, COUNT_PAGE):
            count += len(page)
            event_id = page[-1][0].decode()
        return count

    def first_position(self, partition: int) -> int:
        with _translated():
            return _position(partition, self._client.xrange(self._keys.log(partition), count=1))

    def last_position(self, partition: int) -> int:
        with _translated():
            return _position(partition, self._client.xrevrange(self._keys.log(partition), count=1))

    def _above(self, partition: int, event_id: str, limit: int) -> list[_RawEntry]:
        with _translated():
            found = self._client.xrange(self._keys.log(partition), f"({event_id}", "+", count=limit)
        return cast("list[_RawEntry]", found)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise LogUnavailable(f"the event log cannot be read: {error}") from error


def _position(partition: int, found: Any) -> int:
    return _receipt(partition, found[0][0]).position if found else 0


def _receipt(partition: int, event_id: bytes) -> Receipt:
    milliseconds, _, sequence = event_id.partition(b"-")
    return Receipt(partition, int(milliseconds), int(sequence))


def _event_id(partition: int, position: int) -> str:
    receipt = Receipt.at(partition, position)
    return f"{receipt.milliseconds}-{receipt.sequence}"
