"""The entries of the metric log on the server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from redis import Redis, RedisCluster
from redis.client import Pipeline
from redis.cluster import ClusterPipeline
from redis.exceptions import RedisError, ResponseError

from adapters.redis_streams.clients import DRIVER_ERRORS, Client, on_one_connection
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.losses import ACCEPT, HISTORY, NOTE, losses_of, report_lost
from adapters.redis_streams.server import history_of
from application.errors import LogUnavailable, LogUnfit
from application.event_log.ports import Entry, Extent, Lost
from application.event_log.receipts import SEQUENCE_LIMIT, Receipt

COUNT_PAGE = 1000
WAIT_MS = 250
FIRST_PAUSE = 0.005
WRITING = "the event log refused to be written"

_RawEntry = tuple[bytes, Mapping[bytes, bytes]]


class RedisHotLog:
    """Implements the port HotLog. The caller owns the client and closes it.

    Raises LogUnfit for an entry whose sequence number a position cannot hold.
    """

    def __init__(self, client: Client, keys: MetricKeys, partitions: int) -> None:
        self._client = client
        self._keys = keys
        self._partitions = partitions

    def partitions(self) -> int:
        return self._partitions

    def extent(self, partition: int) -> Extent:
        with translated():
            pipeline = self._client.pipeline(transaction=False)
            self._ask_for_extent(pipeline, partition)
            return _extent(partition, *pipeline.execute(raise_on_error=False))

    def read(self, partition: int, after: int, limit: int) -> tuple[Extent, Sequence[Entry]]:
        log = self._keys.log(partition)
        with translated():
            # The extent comes last: what is trimmed between the two then shows as missing, not as
            # read. No transaction, which a full server refuses.
            pipeline = self._client.pipeline(transaction=False)
            pipeline.xrange(log, f"({Receipt.at(partition, after).event_id}", "+", count=limit)
            self._ask_for_extent(pipeline, partition)
            found, *replies = pipeline.execute(raise_on_error=False)
            extent = _extent(partition, *replies)
            if isinstance(found, RedisError):
                raise found
        return extent, [Entry(receipt_of(partition, name), fields) for name, fields in found]

    def find(self, receipt: Receipt) -> Entry | None:
        name = receipt.event_id
        with translated():
            found: Any = self._client.xrange(self._keys.log(receipt.partition), name, name)
        return Entry(receipt, found[0][1]) if found else None

    def wait_for_entries(self, after: Sequence[int], *, block: bool = True) -> Sequence[int]:
        names = [
            Receipt.at(partition, position).event_id for partition, position in enumerate(after)
        ]
        with translated():
            if isinstance(self._client, RedisCluster):
                return self._poll(self._client, names, block=block)
            positions: dict[Any, Any] = {
                self._keys.log(partition).encode(): name for partition, name in enumerate(names)
            }
            found = self._client.xread(positions, count=1, block=WAIT_MS if block else None)
        logs = list(positions)
        return [logs.index(log) for log, _ in cast("list[tuple[bytes, object]]", found or [])]

    def _poll(self, client: RedisCluster, names: Sequence[str], *, block: bool) -> Sequence[int]:
        """Do the same in a cluster, where no command may read two partitions.

        A blocking read for each of them would take as many connections. So all are asked at once,
        in one write per server, more and more rarely.
        """
        deadline = time.monotonic() + WAIT_MS / 1000
        pause = FIRST_PAUSE
        while True:
            pipeline = client.pipeline(transaction=False)  # type: ignore[no-untyped-call]
            for partition, name in enumerate(names):
                pipeline.xrange(self._keys.log(partition), f"({name}", "+", count=1)
            more = [partition for partition, found in enumerate(pipeline.execute()) if found]
            left = deadline - time.monotonic()
            if more or not block or left <= 0:
                return more
            time.sleep(min(pause, left))
            pause *= 2

    def count(self, partition: int, after: int) -> int:
        count = 0
        name = Receipt.at(partition, after).event_id
        while page := self._above(partition, name):
            count += len(page)
            name = page[-1][0].decode()
        return count

    def note_lost(self, missing: Receipt) -> None:
        partition = missing.partition
        keys = self._keys.log(partition), self._keys.end(partition)

        def note(server: Redis) -> Any:
            history = history_of(server.info("server", "replication"))
            return server.eval(NOTE, len(keys), *keys, missing.event_id, history)

        with translated(WRITING):
            first = on_one_connection(self._client, keys[0], note)
        report_lost(partition, first, missing)

    def accept_lost(self, lost: Lost) -> None:
        end = self._keys.end(lost.first.partition)
        with translated(WRITING):
            self._client.eval(ACCEPT, 1, end, lost.first.event_id, lost.last.event_id)

    def _ask_for_extent(self, pipeline: Pipeline | ClusterPipeline, partition: int) -> None:
        pipeline.xinfo_stream(self._keys.log(partition))
        pipeline.hgetall(self._keys.end(partition))

    def _above(self, partition: int, name: str) -> list[_RawEntry]:
        log = self._keys.log(partition)
        with translated():
            found = self._client.xrange(log, f"({name}", "+", count=COUNT_PAGE)
        return cast("list[_RawEntry]", found)


@contextmanager
def translated(failure: str = "the event log cannot be read") -> Iterator[None]:
    """Raise LogUnavailable for what the client raises; `failure` says what failed."""
    try:
        yield
    except DRIVER_ERRORS as error:
        raise LogUnavailable(f"{failure}: {error}") from error


def receipt_of(partition: int, name: bytes) -> Receipt:
    """Return the receipt of an entry's id. Raises LogUnfit if no position can hold it."""
    receipt = Receipt.of(partition, name)
    if receipt.sequence >= SEQUENCE_LIMIT:
        raise LogUnfit(
            f"the event {receipt} was not written by CAVE: its sequence number is above "
            f"{SEQUENCE_LIMIT - 1:,}, so it has no position"
        )
    return receipt


def _extent(partition: int, info: Any, end: Any) -> Extent:
    if isinstance(end, RedisError):
        raise end
    history = end.get(HISTORY, b"").decode()
    if isinstance(info, ResponseError) and "no such key" in str(info).lower():
        return Extent(history=history)
    if isinstance(info, RedisError):
        raise info

    def place(name: bytes | None) -> Receipt | None:
        return None if name in {None, b"0-0"} else receipt_of(partition, name)

    first, last = info["first-entry"], info["last-entry"]
    return Extent(
        first=place(first[0]) if first else None,
        last=place(last[0]) if last else None,
        entries=info["length"],
        added=info["entries-added"],
        newest=place(info["last-generated-id"]),
        deleted=place(info["max-deleted-entry-id"]),
        tail=Entry(receipt_of(partition, last[0]), last[1]) if last else None,
        history=history,
        lost=losses_of(partition, end),
    )
