"""One connection to a log server, over which commands are sent in groups.

While one group of commands is in flight, the next one gathers and is then sent in one write. So
`appendfsync always` costs one fsync per group. This speaks the bare protocol for two reasons: the
client library's overhead per command is several times the cost of the append, and it must not retry
an append, since a retried XADD is a duplicate.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
import structlog

from adapters.redis_streams.durability import ReplicaWait
from adapters.redis_streams.urls import Address
from application.errors import LogSaturated, LogUnavailable, OutcomeUnknown

REPLY_TIMEOUT = 5.0
"""Seconds that a group may be in flight; after that its outcome counts as unknown."""

MAX_GROUP_BYTES = 4 << 20
"""Limit of a group's size, so that no reply has to wait for too many others."""

_log = structlog.get_logger(__name__)

Command = tuple[bytes | str | int, ...]


def pack(command: Command) -> bytes:
    """Return a command as it is sent."""
    # Its stub knows only tuples of one element.
    return cast("bytes", hiredis.pack_command(cast("tuple[str]", command)))


ASKING = pack(("ASKING",))


class _Replies(list[Any]):
    """The replies to commands that are sent together. A list of another type is a single reply."""


class _Sent:
    """Commands that are sent together, and the future of their replies.

    With `count` it returns so many `_Replies`, else the only one.
    """

    __slots__ = ("_count", "_replies", "future")

    def __init__(self, future: asyncio.Future[Any], count: int | None) -> None:
        self.future = future
        self._count = count
        self._replies = _Replies()

    def take(self, next_reply: Callable[[], Any]) -> bool:
        """Take replies while there are any: False is none. Return whether all are there.

        Raises ProtocolError.
        """
        if self._count is None:
            if (result := next_reply()) is False:
                return False
        else:
            result = self._replies
            while len(result) < self._count:
                if (reply := next_reply()) is False:
                    return False
                result.append(reply)
        if not self.future.done():
            self.future.set_result(result)
        return True

    def fail(self, error: Exception) -> None:
        """Give up on the replies that are missing."""
        if self.future.done():
            return
        if self._count is None:
            self.future.set_exception(error)
        else:
            missing = self._count - len(self._replies)
            self._replies += [error] * missing
            self.future.set_result(self._replies)


class Link(asyncio.Protocol):
    """One connection, from connecting to its loss. `address` is its server's, if that has one.

    With `wait`, each group that appends ends with the commands that wait for replicas. The next
    group follows once these are answered too.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        max_waiting: int,
        on_lost: Callable[[Link], None],
    ) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[bytes, _Sent]] = deque()
        self._waiting_bytes = 0
        self._in_flight: deque[_Sent] = deque()
        self.wait: ReplicaWait | None = None
        self.address: Address | None = None
        self._unconfirmed: dict[asyncio.Future[Any], asyncio.Future[Any]] = {}
        self._flush_scheduled = False
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def alive(self) -> bool:
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        return self._send(packed, None)

    def append(self, packed: bytes) -> asyncio.Future[Any]:
        return self._confirmed(self._send(packed, None))

    def append_together(self, packed: Sequence[bytes]) -> asyncio.Future[list[Any]]:
        future = self._confirmed(self._send(b"".join(packed), len(packed)))
        if len(packed) > 1:  # they have waited for each other already
            self._flush()
        return future

    def _send(self, packed: bytes, count: int | None) -> asyncio.Future[Any]:
        if self._waiting_bytes and self._waiting_bytes + len(packed) > self._max_waiting:
            raise LogSaturated(f"{self._waiting_bytes} bytes are already waiting to be written")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((packed, _Sent(future, count)))
        self._waiting_bytes += len(packed)
        if not self._in_flight and not self._flush_scheduled:
            # At the end of this iteration of the loop, so that commands sent during it join.
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        return future

    def _confirmed(self, reply: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Return a future of the reply that waits for replicas too, if the durability does."""
        if self.wait is None:
            return reply
        answer = self._unconfirmed[reply] = self._loop.create_future()
        return answer

    def ask(self) -> None:
        """Let the next command have a key of a slot that the server is only about to get."""
        self.send(ASKING)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._in_flight or not self._waiting or self._transport is None:
            return
        group: list[bytes] = []
        size = 0
        while self._waiting and (size < MAX_GROUP_BYTES or group[-1] is ASKING):
            packed, sent = self._waiting.popleft()
            group.append(packed)
            size += len(packed)
            self._in_flight.append(sent)
        self._waiting_bytes -= size
        if self._unconfirmed and self.wait is not None:
            group += self._confirmation(self.wait)
        self._transport.write(b"".join(group))
        self._sent_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(REPLY_TIMEOUT, self._look_at_time)

    def _confirmation(self, wait: ReplicaWait) -> list[bytes]:
        """Return the commands that confirm the appends of the group, empty if it has none."""
        appends = {
            sent.future: self._unconfirmed.pop(sent.future)
            for sent in self._in_flight
            if sent.future in self._unconfirmed
        }
        if not appends:
            return []
        commands = [pack(command) for command in wait.commands]
        waits: list[asyncio.Future[Any]] = [self._loop.create_future() for _ in commands]
        self._in_flight += [_Sent(future, None) for future in waits]
        waits[-1].add_done_callback(lambda _: _answer(appends, wait, waits))
        return commands

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        try:
            while self._in_flight:
                if not self._in_flight[0].take(self._reader.gets):
                    return
                self._in_flight.popleft()
        except hiredis.ProtocolError:
            self.abort()
            return
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reason = exc or "closed by the server"
        unknown = f"the event log's connection died during a write: {reason}"
        for sent in self._in_flight:
            sent.fail(OutcomeUnknown(unknown))
        for _, sent in self._waiting:
            sent.fail(LogUnavailable("the event log's connection died"))
        for reply, answer in self._unconfirmed.items():
            _settle(answer, reply)
        self._unconfirmed.clear()
        self._in_flight.clear()
        self._waiting.clear()
        self._transport = None
        self._on_lost(self)

    async def drain(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_TIMEOUT):
                while left := [*self._in_flight, *(sent for _, sent in self._waiting)]:
                    await asyncio.wait([sent.future for sent in left])

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _look_at_time(self) -> None:
        """Give up on a group that waits too long. Cheaper than a timer for each group."""
        self._timer = None
        if not self._in_flight:
            return
        left = self._sent_at + REPLY_TIMEOUT - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look_at_time)
            return
        _log.error("the event log did not answer in time", seconds=REPLY_TIMEOUT)
        self.abort()


def _answer(
    appends: Mapping[asyncio.Future[Any], asyncio.Future[Any]],
    wait: ReplicaWait,
    waits: Sequence[asyncio.Future[Any]],
) -> None:
    """Answer the appends of a group, whose replies and waits are done."""
    failure = wait.failure([each.exception() or each.result() for each in waits])
    for reply, answer in appends.items():
        _settle(answer, reply, failure)


def _settle(
    answer: asyncio.Future[Any], reply: asyncio.Future[Any], failure: str | None = None
) -> None:
    """Answer appends as their replies say; with a failure to wait for replicas, as unknown."""
    error = reply.exception()
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
        return
    result = reply.result()
    if failure is None or isinstance(result, hiredis.ReplyError):
        answer.set_result(result)
        return
    unknown = OutcomeUnknown(
        f"the event is on the log server, but {failure}: "
        "it is lost if the server is lost before a replica has it"
    )
    if isinstance(result, _Replies):
        answer.set_result([each if isinstance(each, Exception) else unknown for each in result])
    else:
        answer.set_exception(unknown)
