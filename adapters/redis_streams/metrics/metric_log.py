"""The append side of the metric log."""

from __future__ import annotations

import hiredis

from adapters.event_format.encoder import MetricEncoder, origin_fields
from adapters.redis_streams.functions import METRICS
from adapters.redis_streams.metrics.append_connection import AppendConnection, pack
from adapters.redis_streams.metrics.keys import MetricKeys
from application.errors import LogError, LogFull, LogUnavailable
from application.event_log.partitioning import partition_of
from application.event_log.receipts import Receipt
from application.publishing.ports import Appended, Idempotency
from domain.errors import IdempotencyConflict
from domain.events import MetricsPublished
from domain.idempotency import WINDOW

MAX_WAITING = 64 << 20
"""Bytes that may wait to be written; beyond that new batches are refused."""

MAX_BEGINNINGS = 4096
"""Cached beginnings of packed commands: packing is most of the cost of a small append."""

_POINTS_FIELDS = 6
_HEADER = b"*%d\r\n" % _POINTS_FIELDS
_PUBLISH = METRICS.function("publish")
_WINDOW_MS = int(WINDOW.total_seconds() * 1000)


class RedisMetricLog:
    """Implements the port MetricLog over one connection. For one event loop; open it first."""

    def __init__(
        self, url: str, keys: MetricKeys, partitions: int, *, max_waiting: int = MAX_WAITING
    ) -> None:
        self._keys = keys
        self._partitions = partitions
        self._logs = [keys.log(partition) for partition in range(partitions)]
        self._encoder = MetricEncoder()
        self._beginnings: dict[tuple[str, str | None, str], tuple[int, bytes]] = {}
        self._connection = AppendConnection(url, max_waiting=max_waiting)

    async def open(self) -> None:
        """Connect. Raises LogUnavailable, but keeps trying."""
        await self._connection.open()

    async def close(self) -> None:
        """Disconnect once every append in progress has been answered."""
        await self._connection.close()

    async def answers(self) -> bool:
        """Return whether the log server answers on the connection for appends. Never raises."""
        try:
            return bool(await self._connection.send(("PING",)) == b"PONG")
        except LogError:
            return False

    async def append(
        self, event: MetricsPublished, idempotency: Idempotency | None = None
    ) -> Appended:
        fields: tuple[bytes | str, ...] = self._encoder.points_fields(event.points)
        if idempotency is None:
            partition, beginning = self._beginning(event)
            reply = await self._connection.send_packed(beginning + pack(fields)[len(_HEADER) :])
            if isinstance(reply, bytes):
                return Appended(_receipt(partition, reply))
            raise _refusal(reply)
        partition = partition_of(event.organization, self._partitions)
        key = self._keys.idempotency(partition, event.organization, idempotency.key)
        digest = idempotency.body_digest.hex()
        log = self._logs[partition]
        command = (
            "FCALL",
            _PUBLISH,
            2,
            log,
            key,
            digest,
            _WINDOW_MS,
            *origin_fields(event),
            *fields,
        )
        reply = await self._connection.send(command)
        if isinstance(reply, hiredis.ReplyError) and "function not found" in str(reply).lower():
            # Not a retry, since nothing was executed: the function was not loaded, or was flushed.
            loaded = await self._connection.send(("FUNCTION", "LOAD", "REPLACE", METRICS.source))
            if isinstance(loaded, hiredis.ReplyError):
                raise _refusal(loaded)
            reply = await self._connection.send(command)
        if isinstance(reply, list):
            event_id, replayed = reply
            return Appended(_receipt(partition, event_id), replayed=bool(replayed))
        if str(reply).startswith("CONFLICT"):
            raise IdempotencyConflict.of(idempotency.key)
        raise _refusal(reply)

    def _beginning(self, event: MetricsPublished) -> tuple[int, bytes]:
        """Return the partition, and the packed command up to the fields of the points."""
        origin = (event.organization, event.team, event.token_id)
        known = self._beginnings.get(origin)
        if known is None:
            partition = partition_of(event.organization, self._partitions)
            before = ("XADD", self._logs[partition], "*", *origin_fields(event))
            _, rest = pack(before).split(b"\r\n", 1)
            known = partition, b"*%d\r\n%b" % (len(before) + _POINTS_FIELDS, rest)
            if len(self._beginnings) >= MAX_BEGINNINGS:
                self._beginnings.clear()
            self._beginnings[origin] = known
        return known


def _receipt(partition: int, event_id: bytes) -> Receipt:
    milliseconds, _, sequence = event_id.partition(b"-")
    return Receipt(partition, int(milliseconds), int(sequence))


def _refusal(reply: hiredis.ReplyError) -> LogFull | LogUnavailable:
    """Return the error for a refusal. Nothing was written: functions check before they write."""
    text = str(reply)
    if text.startswith("OOM") or "No space left" in text:
        return LogFull(f"the event log is full: {text}")
    return LogUnavailable(f"the event log refused the append: {text}")
