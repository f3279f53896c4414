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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import hiredis
import structlog
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from adapters.redis_streams.connections import Connections
from adapters.redis_streams.durability import ReplicaWait, replica_wait
from adapters.redis_streams.sentinel import CONNECT_SECONDS, Address, check_role
from adapters.redis_streams.server import info_fields
from application.errors import LogSaturated, LogUnavailable, OutcomeUnknown
from application.event_log.durability import NO_REPLICAS, Durability

REPLY_TIMEOUT = 5.0
"""Seconds that a group may be in flight; after that its outcome counts as unknown."""

CONNECT_TIMEOUT = 5.0
MAX_RETRY_DELAY = 1.0
MAX_GROUP_BYTES = 4 << 20
"""Limit of a group's size, so that no reply has to wait for too many others."""

DEFAULT_PORT = 6379
NOT_CONNECTED = "the event log is not connected"

_log = structlog.get_logger(__name__)

Command = tuple[bytes | str | int, ...]
Send = Callable[[Command], asyncio.Future[Any]]
Prepare = Callable[[Send], Awaitable[None]]


class AppendConnection:
    """Sends commands in groups and reconnects automatically. For one event loop.

    `max_waiting` bounds the bytes that wait to be sent. `prepare` runs on every new connection
    before it is used; it gets a function that sends a command over it. If it raises LogUnavailable,
    the connection is given up and tried again. Appends are answered once they are as durable as
    `durability` says.
    """

    def __init__(
        self,
        url: str,
        *,
        max_waiting: int,
        prepare: Prepare | None = None,
        durability: Durability = NO_REPLICAS,
    ) -> None:
        self._prepare = prepare
        self._durability = durability
        self._server = Connections(url)
        self._max_waiting = max_waiting
        self._link: _Link | None = None
        self._opening: _Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._closed = False

    async def open(self) -> None:
        """Connect. Raises LogUnavailable; keeps retrying then, and after any lost connection."""
        loop = asyncio.get_running_loop()
        self._server.listen(lambda address: _soon(loop, self._follow, address))
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
        if self._link is None:
            raise LogUnavailable(NOT_CONNECTED)
        return self._link.send(pack(command))

    def append(self, packed: bytes) -> asyncio.Future[Any]:
        """Send a packed command that writes, and answer it once that is durable.

        As `send`. Raises OutcomeUnknown too if fewer replicas than required have it in time, unless
        the reply is a `ReplyError`.
        """
        if self._link is None:
            raise LogUnavailable(NOT_CONNECTED)
        return self._link.append(packed)

    async def close(self) -> None:
        """Wait for all commands, sent or waiting, then disconnect."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self._link is not None:
            await self._link.drain()
            self._link.abort()
        await asyncio.to_thread(self._server.close)

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        link = self._opening = _Link(loop, self._max_waiting, self._lost)
        self._moved.clear()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await self._open_link(loop, link)
                if self._durability.replicas:
                    await self._settle_wait(link)
                if self._prepare is not None:
                    await self._prepare(lambda command: link.send(pack(command)))
        except BaseException as error:
            link.abort()
            if isinstance(error, (OSError, OutcomeUnknown, RedisError)):
                reason = str(error) or type(error).__name__
                raise LogUnavailable(f"the event log cannot be reached: {reason}") from error
            raise
        self._link = link

    async def _open_link(self, loop: asyncio.AbstractEventLoop, link: _Link) -> None:
        """Connect to the log server, or to the primary that Sentinels name now."""
        if not self._server.moves:
            address = self._server.address()
            await _open_transport(loop, address, link)
        else:
            address = await asyncio.to_thread(self._server.address)
            link.address = address["host"], address["port"]
            async with asyncio.timeout(CONNECT_SECONDS):
                await _open_transport(loop, address, link)
        for command in _greeting(address):
            _check_greeting(command, await link.send(pack(command)))
        if link.address is not None:
            check_role(await link.send(pack(("ROLE",))), "{}:{}".format(*link.address))

    def _follow(self, primary: Address) -> None:
        """Leave a server that is not the primary any more; do not wait to reach a new one."""
        for link in (self._link, self._opening):
            if link is not None and link.address not in {primary, None}:
                link.abort()
        self._moved.set()

    async def _pause(self, seconds: float) -> None:
        """Wait before connecting again, unless the address of the log server has just been read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    async def _settle_wait(self, link: _Link) -> None:
        reply = await link.send(pack(("INFO", "server")))
        if not isinstance(reply, bytes):
            raise LogUnavailable(f"the event log refused to show its version: {reply}")
        link.wait = replica_wait(self._durability, info_fields(reply))

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
            sleep=self._pause,
        ):
            with attempt:
                await self._connect()
        _log.info("connected to the event log")


class _Link(asyncio.Protocol):
    """One connection, from connecting to its loss. `address` is that of a server that may move.

    With `wait`, each group that appends ends with the commands that wait for replicas. The next
    group follows once these are answered too.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, max_waiting: int, on_lost: Any) -> None:
        self._loop = loop
        self._max_waiting = max_waiting
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[bytes, asyncio.Future[Any]]] = deque()
        self._waiting_bytes = 0
        self._in_flight: deque[asyncio.Future[Any]] = deque()
        self.wait: ReplicaWait | None = None
        self.address: Address | None = None
        self._unconfirmed: dict[asyncio.Future[Any], asyncio.Future[Any]] = {}
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

    def append(self, packed: bytes) -> asyncio.Future[Any]:
        reply = self.send(packed)
        if self.wait is None:
            return reply
        answer = self._unconfirmed[reply] = self._loop.create_future()
        return answer

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
        if self._unconfirmed and self.wait is not None:
            group += self._confirmation(self.wait)
        self._transport.write(b"".join(group))
        self._sent_at = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(REPLY_TIMEOUT, self._look_at_time)

    def _confirmation(self, wait: ReplicaWait) -> list[bytes]:
        """Return the commands that confirm the appends of the group, empty if it has none."""
        appends = {
            reply: self._unconfirmed.pop(reply)
            for reply in self._in_flight
            if reply in self._unconfirmed
        }
        if not appends:
            return []
        commands = [pack(command) for command in wait.commands]
        waits: list[asyncio.Future[Any]] = [self._loop.create_future() for _ in commands]
        self._in_flight += waits
        waits[-1].add_done_callback(lambda _: _answer(appends, wait, waits))
        return commands

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
                while left := [*self._in_flight, *(future for _, future in self._waiting)]:
                    await asyncio.wait(left)

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
        refused = reply.exception() or isinstance(reply.result(), hiredis.ReplyError)
        if failure is None or refused:
            _settle(answer, reply)
        elif not answer.done():
            answer.set_exception(
                OutcomeUnknown(
                    f"the event is on the log server, but {failure}: "
                    "it is lost if the server is lost before a replica has it"
                )
            )


def _settle(answer: asyncio.Future[Any], reply: asyncio.Future[Any]) -> None:
    """Answer an append as its reply says."""
    error = reply.exception()
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(reply.result())


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


def _soon(
    loop: asyncio.AbstractEventLoop, function: Callable[[Address], None], address: Address
) -> None:
    """Call a function in the loop, unless that has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, address)


def _greeting(address: Mapping[str, Any]) -> list[Command]:
    commands: list[Command] = []
    if password := address.get("password"):
        user = address.get("username")
        commands.append(("AUTH", user, password) if user else ("AUTH", password))
    if database := address.get("db"):
        commands.append(("SELECT", database))
    return commands


async def _open_transport(
    loop: asyncio.AbstractEventLoop, address: Mapping[str, Any], link: _Link
) -> None:
    if path := address.get("path"):
        await loop.create_unix_connection(lambda: link, path)
        return
    await loop.create_connection(
        lambda: link,
        address.get("host", "localhost"),
        address.get("port", DEFAULT_PORT),
        ssl=ssl.create_default_context() if address["tls"] else None,
    )
