"""Appends to one partition of a cluster, which follow its slot from master to master.

What a node refuses because the slot is elsewhere, or cannot be served at the moment, was not
executed, so it is sent again. To keep the order, everything else waits meanwhile: once all that was
sent has been answered, what was refused is sent again in its order, and then what has come since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

import structlog
from msgspec import Struct

from adapters.redis_streams.metrics.append_connection import NOT_CONNECTED, Send
from adapters.redis_streams.metrics.link import REPLY_TIMEOUT, Command, Link, pack
from adapters.redis_streams.metrics.refusals import Refusal
from adapters.redis_streams.urls import Address
from application.errors import LogError, LogSaturated, LogUnavailable

_log = structlog.get_logger(__name__)

PAUSE = 0.05
"""Seconds until a command that can only be executed later is sent again."""

CHANGE_SECONDS = 0.2
"""The longest to wait for a master before the nodes are asked again which it is."""


class Nodes(Protocol):
    """The nodes of the cluster, as `ClusterAppends` knows them."""

    def link(self, address: Address) -> Link | None:
        """Return what leads to a node, or None while it is not connected; then connects to it."""

    async def changed(self, seconds: float) -> None:
        """Return once connections or masters have changed, at the latest after some seconds."""

    def refresh(self) -> None:
        """Have the nodes asked soon for the masters. Never blocks."""


class _Call(Struct, eq=False):
    packed: bytes
    durable: bool
    answer: asyncio.Future[Any]
    deadline: float
    """When it is not sent again any more, as the loop's time."""


class SlotConnection:
    """Sends the commands of one partition to the master of its slot. For one event loop.

    `prepare` runs before anything is sent to a master over a connection that is new, or that this
    partition has not used before. `max_waiting` bounds the bytes that wait for a master.
    """

    def __init__(
        self, nodes: Nodes, prepare: Callable[[Send], Awaitable[None]], max_waiting: int
    ) -> None:
        self._nodes = nodes
        self._prepare = prepare
        self._max_waiting = max_waiting
        self.master: Address | None = None
        self._link: Link | None = None
        """Where to send what comes; None while it has to wait, or be refused."""
        self._failure: str | None = NOT_CONNECTED
        """Why what comes is refused, or None if it waits."""
        self._reason = NOT_CONNECTED
        """Why what waits is refused in the end."""
        self._looked_over: Link | None = None
        """The connection over which the partition was looked at last."""
        self._unanswered = 0
        self._all_answered = asyncio.Event()
        self._refused: list[_Call] = []
        self._refusal: Refusal | None = None
        self._held: list[_Call] = []
        self._held_bytes = 0
        self._settling: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def failure(self) -> str | None:
        """Why nothing can be appended now, or None."""
        return self._failure

    def send(self, command: Command) -> asyncio.Future[Any]:
        """See `AppendConnection.send`."""
        return self._submit(pack(command), durable=False)

    def append(self, packed: bytes) -> asyncio.Future[Any]:
        """See `AppendConnection.append`."""
        return self._submit(packed, durable=True)

    def use(self, master: Address | None) -> None:
        """Go over to another master, unless it is that one already."""
        if master is not None and master != self.master:
            self.master = master
            self._link = None
            self._settle()

    def look(self) -> None:
        """Look whether the connection to the master has been lost, or made."""
        link = None if self.master is None else self._nodes.link(self.master)
        if link is None or link is not self._link:
            self._link = None
            if link is None:
                self._failure = self._reason = NOT_CONNECTED
            self._settle()

    async def ready(self) -> None:
        """Return once it can append. Raises LogUnavailable if that takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_TIMEOUT):
                while self._link is None:
                    await self._nodes.changed(CHANGE_SECONDS)
        if self._link is None:
            raise LogUnavailable(self._failure or NOT_CONNECTED)

    async def close(self) -> None:
        """Wait until everything has been answered, and send nothing any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLY_TIMEOUT):
                while self._unanswered or self._refused or self._held:  # noqa: ASYNC110  there is no event for it
                    await asyncio.sleep(PAUSE)
        self._closed = True
        if self._settling is not None:
            self._settling.cancel()
        self._fail(LogUnavailable(NOT_CONNECTED))

    def _submit(self, packed: bytes, *, durable: bool) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        call = _Call(packed, durable, loop.create_future(), loop.time() + REPLY_TIMEOUT)
        if self._link is not None:
            self._dispatch(self._link, call)
        elif self._failure is not None:
            raise LogUnavailable(self._failure)
        elif self._held and self._held_bytes + len(packed) > self._max_waiting:
            raise LogSaturated(f"{self._held_bytes} bytes are already waiting to be written")
        else:
            self._held.append(call)
            self._held_bytes += len(packed)
        return call.answer

    def _dispatch(self, link: Link, call: _Call) -> None:
        sent = link.append(call.packed) if call.durable else link.send(call.packed)
        self._unanswered += 1
        sent.add_done_callback(partial(self._replied, call, link))

    def _send_again(self, link: Link, call: _Call, *, asking: bool = False) -> None:
        if call.answer.done():  # nobody waits for it any more
            return
        try:
            if asking:
                link.ask()
            self._dispatch(link, call)
        except LogError as error:
            call.answer.set_exception(error)

    def _replied(self, call: _Call, link: Link, sent: asyncio.Future[Any]) -> None:
        self._unanswered -= 1
        if not self._unanswered:
            self._all_answered.set()
        if sent.cancelled():
            return
        error = sent.exception()
        if call.answer.done():
            return
        if error is not None:
            call.answer.set_exception(error)
            return
        reply = sent.result()
        refusal = Refusal.of(reply, link.address)
        if refusal is None or asyncio.get_running_loop().time() > call.deadline:
            call.answer.set_result(reply)
        else:
            self._refused.append(call)
        if refusal is None:
            return
        self._refusal = refusal
        self._reason = f"the event log refused the append: {reply}"
        self._link = None
        self._failure = None
        self._settle()

    def _settle(self) -> None:
        if not self._closed and (self._settling is None or self._settling.done()):
            self._settling = asyncio.ensure_future(self._keep_settling())

    async def _keep_settling(self) -> None:
        """Find the master, and send it what waits, until everything has been sent."""
        while self._link is None:
            try:
                async with asyncio.timeout(REPLY_TIMEOUT):
                    await self._go_on()
            except Exception as error:  # noqa: BLE001  what waits must not wait for ever
                if not isinstance(error, (LogError, TimeoutError)):
                    _log.exception("a partition of the event log cannot be appended to")
                self._fail(LogUnavailable(str(error) or self._reason))
                await self._nodes.changed(CHANGE_SECONDS)

    async def _go_on(self) -> None:
        """Send what was refused to where it was refused to, and then what was held."""
        await self._until_answered()
        refusal, self._refusal = self._refusal, None
        if refusal is not None and refusal.code == "ASK":
            assert refusal.address is not None  # noqa: S101  it has one
            link = await self._link_to(refusal.address)
            for call in self._take_refused():
                self._send_again(link, call, asking=True)
            await self._until_answered()
            if self._refusal is not None:
                return
        elif refusal is not None:
            self._nodes.refresh()
            if refusal.address is not None:
                self.master = refusal.address
            else:
                await asyncio.sleep(PAUSE)
        link = await self._prepared()
        for call in (*self._take_refused(), *self._held):
            self._send_again(link, call)
        self._held.clear()
        self._held_bytes = 0
        self._failure = None
        self._link = link

    async def _prepared(self) -> Link:
        """Return a connection to the master, over which the partition has been looked at.

        It is looked at again if it has been on another server meanwhile.
        """
        while True:
            link = await self._link_to()
            master = self.master
            if link is self._looked_over and link.alive:
                return link
            try:
                await self._prepare(partial(self._call, link))
            except _RefusedError as error:
                self._reason = f"the event log refused to be looked at: {error}"
                self._nodes.refresh()
                if error.refusal.code == "MOVED":
                    self.master = error.refusal.address
                await asyncio.sleep(PAUSE)
                continue
            if master == self.master and link.alive:
                self._looked_over = link
                return link

    async def _call(self, link: Link, command: Command) -> Any:
        """Send a command of `prepare`, also to where only its key is so far."""
        reply = await link.send(pack(command))
        refusal = Refusal.of(reply, link.address)
        if refusal is not None and refusal.code == "ASK" and refusal.address is not None:
            other = await self._link_to(refusal.address)
            other.ask()
            reply = await other.send(pack(command))
            refusal = Refusal.of(reply, refusal.address)
        if refusal is not None:
            raise _RefusedError(refusal)
        return reply

    async def _link_to(self, address: Address | None = None) -> Link:
        """Return what leads to a node; without an address to the master, whichever that is."""
        while True:
            wanted = address or self.master
            link = None if wanted is None else self._nodes.link(wanted)
            if link is not None:
                return link
            self._nodes.refresh()
            await self._nodes.changed(CHANGE_SECONDS)

    async def _until_answered(self) -> None:
        while self._unanswered:
            self._all_answered.clear()
            await self._all_answered.wait()

    def _take_refused(self) -> list[_Call]:
        calls, self._refused = self._refused, []
        return calls

    def _fail(self, error: LogUnavailable) -> None:
        """Refuse everything that was not executed, and what comes from now on."""
        self._failure = str(error)
        for call in (*self._refused, *self._held):
            if not call.answer.done():
                call.answer.set_exception(error)
        self._refused.clear()
        self._held.clear()
        self._held_bytes = 0


class _RefusedError(Exception):
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal
