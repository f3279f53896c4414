"""The connection for appends: group commit over one socket.

While one group of commands is in flight, the next one gathers and is then sent in one write. So
`appendfsync always` costs one fsync per group. This speaks the bare protocol for two reasons: the
client library's overhead per command is several times the cost of the append, and it must not retry
an append, since a retried XADD is a duplicate.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import hiredis
import structlog
from redis.asyncio.connection import parse_url
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from application.errors import LogSaturated, LogUnavailable, OutcomeUnknown

REPLY_TIMEOUT = 5.0
"""Seconds that a group may be in flight; after that its outcome counts as unknown."""

CONNECT_TIMEOUT = 5.0
MAX_RETRY_DELAY = 1.0
MAX_GROUP_BYTES = 4 << 20
"""Limit of a group's size, so that no reply has to wait for too many others."""

DEFAULT_PORT = 6379

_log = structlog.get_logger(__name__)

Command = tuple[bytes | str | int, ...]
Send = Callable[[Command], asyncio.Future[Any]]
Prepare = Callable[[Send], Awaitable[None]]


class AppendConnection:
    """Sends commands in groups and reconnects automatically. For one event loop.

    `max_waiting` bounds the bytes that wait to be sent. `prepare` runs on every new connection
    before it is used; it gets a function that sends a command over it. If it raises LogUnavailable,
    the connection is given up and tried again.
    """

    def __init__(self, url: str, *, max_waiting: int, prepare: Prepare | None = None) -> None:
        self._prepare = prepare
        self._address = dict(parse_url(url))
        self._greeting = _greeting(self._address)
        self._max_waiting = max_waiting
        self._link: _Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False

    async def open(self) -> None:
        """Connect. Raises LogUnavailable; keeps retrying then, and after any lost connection."""
        try:
            await self._connect()
        except LogUnavailable:
            self._reconnect()
            raise

    def send(self, command: Command) -> asyncio.Future[Any]:
        """Send a command with the next group. The future returns the reply or a `ReplyError`.

        Raises LogUnavailable, LogSaturated. If the connection dies, the future raises
        LogUnavailable if the command was not sent, OutcomeUnknown if it was.
        """
        return self.send_packed(pack(command))

    def send_packed(self, packed: bytes) -> asyncio.Future[Any]:
        """Do the same for a packed command."""
        if self._link is None:
            raise LogUnavailable("the event log is not connected")
        return self._link.send(packed)

    async def close(self) -> None:
        """Wait for all commands, sent or waiting, then disconnect."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._link is not None:
            await self._link.drain()
            self._link.abort()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        link = _Link(loop, self._max_waiting, self._lost)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await _open_transport(loop, self._address, link)
                for command in self._greeting:
                    reply = await link.send(pack(command))
                    _check_greeting(command, reply)
                if self._prepare is not None:
                    await self._prepare(lambda command: link.send(pack(command)))
        except BaseException as error:
            link.abort()
            if isinstance(error, (OSError, OutcomeUnknown)):
                reason = str(error) or type(error).__name__
                raise LogUnavailable(f"the event log cannot be reached: {reason}") from error
            raise
        self._link = link

    def _lost(self, link: _Link) -> None:
        if self._link is link:
            self._link = None
            if not self._closed:
                _log.warning("lost the connection to the event log")
                self._reconnect()

    def _reconnect(self) -> None:
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.ensure_future(self._keep_trying())

    async def _keep_trying(self) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(LogUnavailable),
            wait=wait_random_exponential(multiplier=0.05, max=MAX_RETRY_DELAY),
        ):
            with attempt:
                await self._connect()
        _log.info("connected to the event log")


class _Link(asyncio.Protocol):
    """One connection, from connecting to its loss."""

    def __init__(self, loop: asyncio.AbstractEventLoop, max_waiting: int, on_lost: Any) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[bytes, asyncio.Future[Any]]] = deque()
        self._waiting_bytes = 0
        self._in_flight: deque[asyncio.Future[Any]] = deque()
        self._flush_scheduled = False
        self._sent_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, packed: bytes) -> asyncio.Future[Any]:
        if self._waiting_bytes and self._waiting_bytes + len(packed) > self._max_waiting:
            raise LogSaturated(f"{self._waiting_bytes} bytes are already waiting to be written")
        future: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((packed, future))
        self._waiting_bytes += len(packed)
        if not self._in_flight and not self._flush_scheduled:
            # At the end of this iteration of the loop, so that commands sent during it join.
            self._flush_scheduled = True
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._in_flight or not self._waiting or self._transport is None:
            return
        group: list[bytes] = []
        size = 0
        while self._waiting and size < MAX_GROUP_BYTES:
            packed, future = self._waiting.popleft()
            group.append(packed)
            size += len(packed)
            self._in_flight.append(future)
        self._waiting_bytes -= size
        self._transport.write(b"".join(group))
        self._sent_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(REPLY_TIMEOUT, self._look_at_time)

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while self._in_flight:
            try:
                reply = self._reader.gets()
            except hiredis.ProtocolError:
                self.abort()
                return
            if reply is False:
                return
            future = self._in_flight.popleft()
            if not future.done():
                future.set_result(reply)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        reason = exc or "closed by the server"
        for future in self._in_flight:
            if not future.done():
                future.set_exception(
                    OutcomeUnknown(f"the event log's connection died during a write: {reason}")
                )
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(LogUnavailable("the event log's connection died"))
        self._in_flight.clear()
        self._waiting.clear()
        self._transport = None
        self._on_lost(self)

    async def drain(self) -> None:
        waited_for = [*self._in_flight, *(future for _, future in self._waiting)]
        if waited_for:
            await asyncio.wait(waited_for, timeout=REPLY_TIMEOUT)

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


def pack(command: Command) -> bytes:
    """Return a command as it is sent."""
    # Its stub knows only tuples of one element.
    return cast("bytes", hiredis.pack_command(cast("tuple[str]", command)))


def milliseconds_of(time: Sequence[bytes]) -> int:
    """Return the reply to TIME in milliseconds since the epoch."""
    seconds, microseconds = time
    return int(seconds) * 1000 + int(microseconds) // 1000


def _check_greeting(command: Command, reply: object) -> None:
    if isinstance(reply, hiredis.ReplyError):
        raise LogUnavailable(f"the event log refused {command[0]!r}: {reply}")


def _greeting(address: dict[str, Any]) -> list[Command]:
    commands: list[Command] = []
    if password := address.get("password"):
        user = address.get("username")
        commands.append(("AUTH", user, password) if user else ("AUTH", password))
    if database := address.get("db"):
        commands.append(("SELECT", database))
    return commands


async def _open_transport(
    loop: asyncio.AbstractEventLoop, address: dict[str, Any], link: _Link
) -> None:
    if path := address.get("path"):
        await loop.create_unix_connection(lambda: link, path)
        return
    await loop.create_connection(
        lambda: link,
        address.get("host", "localhost"),
        address.get("port", DEFAULT_PORT),
        ssl=ssl.create_default_context() if "connection_class" in address else None,
    )
