"""The append side of the metric log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import hiredis

from adapters.event_format.encoder import origin_fields
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.durability import FENCE
from adapters.redis_streams.functions import METRICS
from adapters.redis_streams.metrics.append_connection import Send, milliseconds_of
from adapters.redis_streams.metrics.appends import PartitionConnection, appends_to
from adapters.redis_streams.metrics.idempotency import (
    BYTES_PER_RECORD,
    DEFAULT_MEMORY,
    RecordCounts,
    record_field,
)
from adapters.redis_streams.metrics.keys import MetricKeys, earlier_record
from adapters.redis_streams.metrics.link import pack
from adapters.redis_streams.metrics.losses import BEGIN, NOTE, report_lost
from adapters.redis_streams.metrics.packed_appends import PackedAppends, is_appended_by
from adapters.redis_streams.metrics.sequence_guard import (
    SAFE_SEQUENCES,
    SequenceGuard,
)
from adapters.redis_streams.server import history_of, info_fields
from application.errors import (
    IdempotencyFull,
    LogError,
    LogFull,
    LogUnavailable,
    OutcomeUnknown,
)
from application.event_log.durability import NO_REPLICAS, Durability
from application.event_log.partitioning import partition_of
from application.event_log.receipts import SEQUENCE_LIMIT, Receipt
from application.publishing.ports import Appended, Idempotency, IdempotencyRecords
from domain.errors import IdempotencyConflict
from domain.events import MetricEvent
from domain.idempotency import REPEAT_WINDOW, WINDOW

MAX_WAITING = 64 << 20
"""Bytes that may wait to be written; beyond that new batches are refused."""

_PUBLISH = METRICS.function("publish")
_RECALL = METRICS.script("recall", "no-writes")

_LAST_ID = """#!lua flags=no-writes
local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then
    return info[i + 1]
  end
end
return info
"""
"""A script: XINFO by itself also returns the first and the last entry, which may be large."""

_REMOVED = """#!lua flags=no-writes
if redis.call('EXISTS', KEYS[1]) == 0 then
  return { 0, false, '0-0' }
end
local about = {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  about[info[i]] = info[i + 1]
end
local first = about['first-entry'] and about['first-entry'][1] or false
return { about['entries-added'] - about['length'], first, about['last-generated-id'] }
"""
"""A script. Returns how many entries were removed, the first id that is left, and the last id."""

COUNT_SECONDS = 1.0
"""How often the records of idempotency keys are counted."""


class RedisMetricLog:
    """Implements the port MetricLog, with a connection per server. For one event loop; open it
    first.

    Keys are remembered for `window`, and bodies without one for `repeat_window`, both in whole
    milliseconds. `max_records` of them may be remembered:
    exactly in one partition; with other processes or in several partitions, those of up to a second
    may exceed it. Each partition's last acknowledged event is kept in memory, to notice if a server
    that was promoted does not have it. An event is acknowledged once it is as durable as
    `durability` says.
    """

    def __init__(
        self,
        url: str,
        keys: MetricKeys,
        partitions: int,
        *,
        max_waiting: int = MAX_WAITING,
        window: timedelta = WINDOW,
        repeat_window: timedelta = REPEAT_WINDOW,
        max_records: int = DEFAULT_MEMORY // BYTES_PER_RECORD,
        durability: Durability = NO_REPLICAS,
    ) -> None:
        self._keys = keys
        self._partitions = partitions
        self._logs = [keys.log(partition) for partition in range(partitions)]
        self._packed = PackedAppends(self._logs)
        self._guard = SequenceGuard()
        self._acknowledged: dict[int, tuple[Receipt, bytes]] = {}
        self._server = Connections(url)
        self._appends = appends_to(
            self._server,
            self._logs,
            max_waiting=max_waiting,
            prepare=self._look_at_log,
            durability=durability,
        )
        self._connections = [self._appends.of(partition) for partition in range(partitions)]
        self._replicated = bool(durability.replicas)
        self._window_ms = window // timedelta(milliseconds=1)
        self._repeat_window_ms = repeat_window // timedelta(milliseconds=1)
        self._records = RecordCounts(
            keys, partitions, (self._window_ms, self._repeat_window_ms), max_records
        )
        self._counting: asyncio.Task[None] | None = None

    @property
    def single_server(self) -> bool:
        return self._server.topology is None

    async def open(self) -> None:
        """Connect. Raises LogUnavailable, but keeps trying."""
        try:
            await self._appends.open()
            await self._records.read(self._connections)
        finally:
            self._counting = asyncio.ensure_future(self._keep_counting())

    async def close(self) -> None:
        """Disconnect once every append in progress has been answered."""
        if self._counting is not None:
            self._counting.cancel()
        await self._appends.close()
        await asyncio.to_thread(self._server.close)

    def idempotency(self) -> IdempotencyRecords:
        """Return how many keys were remembered, at most a second or so ago, and how many may be."""
        return self._records.now

    async def _keep_counting(self) -> None:
        while True:
            await asyncio.sleep(COUNT_SECONDS)
            await self._records.read(self._connections)

    async def failures(self) -> Sequence[str]:
        """Return why something cannot be appended now, per server. Never raises."""
        return await self._appends.failures()

    async def append(self, event: MetricEvent, idempotency: Idempotency | None = None) -> Appended:
        if idempotency is None:
            (result,) = await self.append_together((event,))
            if isinstance(result, LogError):
                raise result
            return Appended(result)
        partition = partition_of(event.organization, self._partitions)
        if self._guard:
            await self._check_clock(partition)
        record = self._record(partition, event.organization, idempotency)
        fields = self._packed.content_fields(event)
        command = pack(("FCALL", _PUBLISH, *record, *origin_fields(event), *fields))
        connection = self._connections[partition]
        reply = await self._append_unless_known(connection, command)
        if _is_out_of_memory(reply):
            # A script, since a full server takes no functions. It writes nothing.
            known = await connection.send(("EVAL_RO", _RECALL, *record))
            reply = reply if known is None else known
        if isinstance(reply, list):
            event_id, replayed = reply
            receipt = self._written(partition, event_id)
            if not replayed:
                self._remember(receipt, command)
            elif self._replicated:
                await self._confirm(partition)
            return Appended(receipt, replayed=bool(replayed))
        if str(reply).startswith("CONFLICT"):
            raise IdempotencyConflict.of(idempotency.key)
        if str(reply).startswith("FULL"):
            raise IdempotencyFull(self._records.now.limit)
        raise _refusal(reply)

    async def append_together(self, events: Sequence[MetricEvent]) -> Sequence[Receipt | LogError]:
        commands = [*map(self._packed.command, events)]
        refused = await self._refused_by_clock(commands) if self._guard else {}
        sent = [each for each in commands if each[0] not in refused] if refused else commands
        replies = iter(await self._appends.append_together(sent) if sent else ())
        results: list[Receipt | LogError] = []
        for partition, command in commands:
            result = refused.get(partition) or self._result(partition, next(replies))
            results.append(result)
            if isinstance(result, Receipt):
                self._remember(result, command)
        return results

    def _result(self, partition: int, reply: Any) -> Receipt | LogError:
        """Return what a reply to XADD says."""
        if isinstance(reply, bytes):
            try:
                return self._written(partition, reply)
            except OutcomeUnknown as error:
                return error
        return reply if isinstance(reply, LogError) else _refusal(reply)

    def _remember(self, receipt: Receipt, command: bytes) -> None:
        """Remember a partition's last event. Groups and single events may end in another order."""
        known = self._acknowledged.get(receipt.partition)
        if known is None or receipt > known[0]:
            self._acknowledged[receipt.partition] = receipt, command

    async def _refused_by_clock(
        self, commands: Iterable[tuple[int, bytes]]
    ) -> dict[int, LogUnavailable]:
        """Return the partitions to which nothing can be appended now, as `_check_clock` says."""
        refused = {}
        for partition in {partition for partition, _ in commands}:
            try:
                await self._check_clock(partition)
            except LogUnavailable as error:
                refused[partition] = error
        return refused

    async def recall(self, organization: str, idempotency: Idempotency) -> Appended | None:
        partition = partition_of(organization, self._partitions)
        record = self._record(partition, organization, idempotency)
        reply = await self._connections[partition].send(("EVAL_RO", _RECALL, *record))
        if reply is None:
            return None
        if isinstance(reply, list):
            receipt = self._written(partition, reply[0])
            if self._replicated:
                await self._confirm(partition)
            return Appended(receipt, replayed=True)
        if str(reply).startswith("CONFLICT"):
            raise IdempotencyConflict.of(idempotency.key)
        raise _refusal(reply)

    def _record(
        self, partition: int, organization: str, idempotency: Idempotency
    ) -> tuple[str | bytes | int, ...]:
        """Return the keys and arguments of the functions that look up a key's record."""
        window_ms = self._repeat_window_ms if idempotency.repeat else self._window_ms
        return (
            2,
            self._logs[partition],
            self._keys.idempotency(partition),
            window_ms,
            self._records.allowed(partition, window_ms),
            record_field(organization, idempotency.key),
            idempotency.body_digest,
            earlier_record(organization, idempotency.key),
        )

    async def _append_unless_known(self, connection: PartitionConnection, command: bytes) -> Any:
        reply = await connection.append(command)
        if isinstance(reply, hiredis.ReplyError) and "function not found" in str(reply).lower():
            # Not a retry, since nothing was executed: the function was not loaded, or was flushed.
            loaded = await connection.send(("FUNCTION", "LOAD", "REPLACE", METRICS.source))
            if isinstance(loaded, hiredis.ReplyError):
                return loaded
            reply = await connection.append(command)
        return reply

    async def _confirm(self, partition: int) -> None:
        """Return once replicas have everything that was written until now, by whomever.

        The first attempt of a batch may have ended without being confirmed. Raises OutcomeUnknown.
        """
        write = pack(("EVAL", FENCE, 1, self._keys.fence(partition)))
        reply = await self._connections[partition].append(write)
        if isinstance(reply, hiredis.ReplyError):
            raise OutcomeUnknown(
                f"the batch is in the log, but its replicas cannot be asked: {reply}"
            )

    async def _look_at_log(self, partitions: Sequence[int], send: Send) -> None:
        """Look at partitions on a new connection, whose server may be another one.

        Raises LogUnavailable.
        """
        reply = _answer(await send(("INFO", "server", "replication")))
        history = history_of(info_fields(reply))
        for partition in partitions:
            # A server that refuses this refuses appends too.
            keys = self._logs[partition], self._keys.end(partition)
            await send(("EVAL", BEGIN, len(keys), *keys, history))
        for partition in partitions:
            await self._look_for_acknowledged(partition, send, history)
        await self._look_at_last_ids(partitions, send)

    async def _look_for_acknowledged(self, partition: int, send: Send, history: str) -> None:
        """Note the loss of a partition's last acknowledged event, unless it is in the log.

        This comes before any other event of this process, so that none gets the place of a lost
        one. Raises LogUnavailable.
        """
        if (acknowledged := self._acknowledged.get(partition)) is None:
            return
        receipt, command = acknowledged
        log, name = self._logs[partition], receipt.event_id
        found = _answer(await send(("XRANGE", log, name, name)))
        if found and is_appended_by(command, found[0][1]):
            return
        if not found and await self._was_trimmed(send, receipt):
            return
        keys = log, self._keys.end(partition)
        note = ("EVAL", NOTE, len(keys), *keys, name, history)
        report_lost(partition, _answer(await send(note)), receipt)
        del self._acknowledged[partition]

    async def _was_trimmed(self, send: Send, receipt: Receipt) -> bool:
        """Return whether a place that has no event is among what was removed from the server."""
        removed, first, newest = _answer(
            await send(("EVAL_RO", _REMOVED, 1, self._logs[receipt.partition]))
        )
        partition = receipt.partition
        return (
            removed > 0
            and Receipt.of(partition, newest) >= receipt
            and (first is None or Receipt.of(partition, first) > receipt)
        )

    async def _look_at_last_ids(self, partitions: Sequence[int], send: Send) -> None:
        """Look at the last id of each of these partitions. Raises LogUnavailable."""
        commands = [("EVAL_RO", _LAST_ID, 1, self._logs[partition]) for partition in partitions]
        replies = await asyncio.gather(*map(send, commands))
        for partition, reply in zip(partitions, replies, strict=True):
            self._guard.forget(partition)
            if isinstance(reply, bytes):
                self._guard.saw(Receipt.of(partition, reply))
            elif "no such key" not in str(reply).lower():
                raise LogUnavailable(f"the event log refused to show its last id: {reply}")

    async def _check_clock(self, partition: int) -> None:
        """Raise LogUnavailable if an event could get a sequence number that is too high."""
        if (last := self._guard.last(partition)) is None:
            return
        reply = await self._connections[partition].send(("TIME",))
        if isinstance(reply, hiredis.ReplyError):
            raise _refusal(reply)
        now = milliseconds_of(reply)
        self._guard.passed(last, now)
        if now <= last.milliseconds:
            raise LogUnavailable(
                f"the clock of the event log's server is behind: it shows {now} ms, and the last "
                f"event of partition {partition} has the id {last.event_id}; "
                "nothing is appended there until the clock is past that"
            )

    def _written(self, partition: int, event_id: bytes) -> Receipt:
        """Return the receipt of an event in the log. Raises OutcomeUnknown if it has none."""
        receipt = Receipt.of(partition, event_id)
        if receipt.sequence >= SAFE_SEQUENCES:
            self._guard.saw(receipt)
        if receipt.sequence >= SEQUENCE_LIMIT:
            raise OutcomeUnknown(
                f"the event {receipt} cannot be read: the clock of the event log's server is "
                "behind, and its sequence numbers ran out"
            )
        return receipt


def _answer(reply: Any) -> Any:
    """Return a reply that is no error. Raises LogUnavailable."""
    if isinstance(reply, hiredis.ReplyError):
        raise LogUnavailable(f"the event log refused to be compared with what it had: {reply}")
    return reply


def _is_out_of_memory(reply: object) -> bool:
    return isinstance(reply, hiredis.ReplyError) and str(reply).startswith("OOM")


def _refusal(reply: hiredis.ReplyError) -> LogFull | LogUnavailable:
    """Return the error for a refusal. Nothing was written: functions check before they write."""
    text = str(reply)
    if _is_out_of_memory(reply) or "No space left" in text:
        return LogFull(f"the event log is full: {text}")
    return LogUnavailable(f"the event log refused the append: {text}")
