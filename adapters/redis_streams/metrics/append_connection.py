"""The connection for appends to one server, which is made again whenever it is lost."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Protocol

import hiredis
import structlog
from redis.exceptions import RedisError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from adapters.redis_streams.durability import replica_wait
from adapters.redis_streams.metrics.link import Command, Link, pack
from adapters.redis_streams.sentinel import check_role
from adapters.redis_streams.server import info_fields
from adapters.redis_streams.urls import Address
from adapters.redis_streams.watched import CONNECT_SECONDS
from application.errors import LogError, LogUnavailable, OutcomeUnknown
from application.event_log.durability import NO_REPLICAS, Durability

CONNECT_TIMEOUT = 5.0
MAX_RETRY_DELAY = 1.0
DEFAULT_PORT = 6379
NOT_CONNECTED = "the event log is not connected"

_log = structlog.get_logger(__name__)

Send = Callable[[Command], Awaitable[Any]]
Prepare = Callable[[Send], Awaitable[None]]
PreparePartitions = Callable[[Sequence[int], Send], Awaitable[None]]


class Server(Protocol):
    """Where to connect; see `Connections`, which implements it."""

    @property
    def moves(self) -> bool: ...

    def address(self) -> Mapping[str, Any]: ...

    def listen(self, listener: Callable[[Address], None]) -> None: ...


class AppendConnection:
    """Sends commands in groups and reconnects automatically. For one event loop.

    `max_waiting` bounds the bytes that wait to be sent. `prepare` runs on every new connection
    before it is used; it gets a function that sends a command over it. If it raises LogUnavailable,
    the connection is given up and tried again. Appends are answered once they are as durable as
    `durability` says. `on_change` is called whenever it has connected or is lost.
    """

    def __init__(
        self,
        server: Server,
        *,
        max_waiting: int,
        prepare: Prepare | None = None,
        durability: Durability = NO_REPLICAS,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._prepare = prepare
        self._durability = durability
        self._server = server
        self._max_waiting = max_waiting
        self._on_change = on_change
        self.link: Link | None = None
        """What leads to the server now, ready for use; None while it is not connected."""
        self._opening: Link | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self._closed = False

    async def open(self) -> None:
        """Connect. Raises LogUnavailable; keeps retrying then, and after any lost connection."""
        loop = asyncio.get_running_loop()
        self._server.listen(lambda address: soon(loop, self._follow, address))
        try:
            await self._connect()
        except LogUnavailable:
            self.start()
            raise

    def start(self) -> None:
        """Connect in the background, however long that takes."""
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.ensure_future(self._keep_trying())

    def send(self, command: Command) -> asyncio.Future[Any]:
        """Send a command with the next group. The future returns the reply or a `ReplyError`.

        Raises LogUnavailable, LogSaturated. If the connection dies, the future raises
        LogUnavailable if the command was not sent, OutcomeUnknown if it was.
        """
        if self.link is None:
            raise LogUnavailable(NOT_CONNECTED)
        return self.link.send(pack(command))

    def append(self, packed: bytes) -> asyncio.Future[Any]:
        """Send a packed command that writes, and answer it once that is durable.

        As `send`. Raises OutcomeUnknown too if fewer replicas than required have it in time, unless
        the reply is a `ReplyError`.
        """
        if self.link is None:
            raise LogUnavailable(NOT_CONNECTED)
        return self.link.append(packed)

    async def answers(self) -> bool:
        """Return whether the server answers on this connection. Never raises."""
        try:
            return bool(await self.send(("PING",)) == b"PONG")
        except LogError:
            return False

    async def append_together(self, packed: Sequence[bytes]) -> list[Any]:
        """Send packed commands that write in one go, and answer them once all are durable.

        Returns the reply to each, a `ReplyError`, or the error that the future of `append` would
        raise. Raises LogUnavailable, LogSaturated.
        """
        if self.link is None:
            raise LogUnavailable(NOT_CONNECTED)
        return await self.link.append_together(packed)

    async def close(self) -> None:
        """Wait for all commands, sent or waiting, then disconnect."""
        if self.link is not None:
            self._closed = True
            await self.link.drain()
        self.abandon()

    def abandon(self) -> None:
        """Disconnect at once, and do not connect again."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        if self.link is not None:
            self.link.abort()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        link = self._opening = Link(loop, self._max_waiting, self._lost)
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
        if not link.alive:  # lost behind the last reply: nobody would notice it any more
            raise LogUnavailable("the event log's connection died")
        self.link = link
        self._on_change()

    async def _open_link(self, loop: asyncio.AbstractEventLoop, link: Link) -> None:
        """Connect to the log server, or to the primary that Sentinels name now."""
        moves = self._server.moves
        address = await asyncio.to_thread(self._server.address) if moves else self._server.address()
        if "host" in address:
            link.address = address["host"], address.get("port", DEFAULT_PORT)
        async with asyncio.timeout(CONNECT_SECONDS if moves else None):
            await _open_transport(loop, address, link)
        for command in _greeting(address):
            _check_greeting(command, await link.send(pack(command)))
        if moves:
            check_role(await link.send(pack(("ROLE",))), "{}:{}".format(*(link.address or ())))

    def _follow(self, primary: Address) -> None:
        """Leave a server that is not the primary any more; do not wait to reach a new one."""
        for link in (self.link, self._opening):
            if link is not None and link.address not in {primary, None}:
                link.abort()
        self._moved.set()

    async def _pause(self, seconds: float) -> None:
        """Wait before connecting again, unless the address of the log server has just been read."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    async def _settle_wait(self, link: Link) -> None:
        reply = await link.send(pack(("INFO", "server")))
        if not isinstance(reply, bytes):
            raise LogUnavailable(f"the event log refused to show its version: {reply}")
        link.wait = replica_wait(self._durability, info_fields(reply))

    def _lost(self, link: Link) -> None:
        if self.link is link:
            self.link = None
            if not self._closed:
                _log.warning("lost the connection to the event log", server=_name(link))
                self.start()
            self._on_change()

    async def _keep_trying(self) -> None:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(Exception),
            wait=wait_random_exponential(multiplier=0.05, max=MAX_RETRY_DELAY),
            before_sleep=_report_defect,
            sleep=self._pause,
        ):
            with attempt:
                await self._connect()
        _log.info("connected to the event log", server=self.link and _name(self.link))


def _report_defect(attempt: RetryCallState) -> None:
    """Log what is not one of the errors of a log that cannot be reached. It must end no retries."""
    error = attempt.outcome and attempt.outcome.exception()
    if error is not None and not isinstance(error, LogUnavailable):
        _log.error("connecting to the event log failed", exc_info=error)


def milliseconds_of(time: Sequence[bytes]) -> int:
    """Return the reply to TIME in milliseconds since the epoch."""
    seconds, microseconds = time
    return int(seconds) * 1000 + int(microseconds) // 1000


def soon(
    loop: asyncio.AbstractEventLoop, function: Callable[[Any], None], argument: object
) -> None:
    """Call a function in the loop, unless that has ended."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(function, argument)


def _name(link: Link) -> str | None:
    return "{}:{}".format(*link.address) if link.address is not None else None


def _check_greeting(command: Command, reply: object) -> None:
    if isinstance(reply, hiredis.ReplyError):
        raise LogUnavailable(f"the event log refused {command[0]!r}: {reply}")


def _greeting(address: Mapping[str, Any]) -> list[Command]:
    commands: list[Command] = []
    if password := address.get("password"):
        user = address.get("username")
        commands.append(("AUTH", user, password) if user else ("AUTH", password))
    if database := address.get("db"):
        commands.append(("SELECT", database))
    return commands


async def _open_transport(
    loop: asyncio.AbstractEventLoop, address: Mapping[str, Any], link: Link
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
