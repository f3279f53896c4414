"""uvicorn's protocol, with a short way for publish.

What an ASGI server does for a request (a dozen parser callbacks, a scope, events, two messages)
costs as much as accepting a small batch does. A plain publish needs none of it: its head is one of
those seen before, its body is as long as the head says, its answer is one write. Whatever is not
plain goes to uvicorn's own protocol, byte for byte, and both take turns on one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from adapters.http.problems import Answer, Headers, plain_problem
from adapters.http.publish.ending import ENDED, EndingProtocol
from adapters.http.publish.endpoint import PublishEndpoint
from adapters.http.publish.plain_heads import PlainHead, PlainHeads
from adapters.http.telemetry import record_request

LONGEST_HEAD = 64 * 1024
"""Bytes of a request's head, but for those it began with; httptools would take any number."""

_END = b"\r\n\r\n"


class PublishProtocol(EndingProtocol):
    """One connection. `heads` and `publish` are all connections'; the rest is uvicorn's."""

    def __init__(self, heads: PlainHeads, publish: PublishEndpoint, **given: Any) -> None:
        super().__init__(**given)
        self._heads = heads
        self._publish = publish
        self._within_head = False
        self._head_bytes = 0
        self._head: PlainHead | None = None
        self._body: list[bytes] = []
        self._missing = 0
        self._answering: Coroutine[asyncio.Future[Any], None, Answer] | None = None
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""
        self._idle_since = 0.0
        self._held = b""
        self._closing = False

    def data_received(self, data: bytes) -> None:
        if self.phase and not self.heeds():
            return
        if self._answering is not None or self.flow.write_paused:
            # A client that does not wait for its answers gets them in order, one at a time, and
            # one that does not read them is not read from.
            self._held += data
            self.flow.pause_reading()
        elif self._head is not None:
            self._take(data)
        elif not self._begin(data):
            # What a head begins in may be the end of another request.
            more_of_a_head = self._within_head
            super().data_received(data)
            if more_of_a_head and self._within_head:
                self._head_bytes += len(data)
                if self._head_bytes > LONGEST_HEAD:
                    self._refuse(431, f"the header has more than {LONGEST_HEAD} bytes")
            if self.phase:
                self.mark_last()

    def _begin(self, data: bytes) -> bool:
        """Take the beginning of a plain publish; tell whether it was one."""
        if self.within_message or (self.cycle is not None and not self.cycle.response_complete):
            return False
        end = data.find(_END)
        head = self._heads.find(data[:end]) if end > 0 else None
        if head is None:
            return False
        body = data[end + len(_END) :]
        if len(body) < head.length and not self._publish.admits(head):
            return False
        self._head = head
        self._missing = head.length
        self._take(body)
        return True

    def _take(self, data: bytes) -> None:
        """Take a piece of the body; once it is complete, answer."""
        if len(data) > self._missing:
            self._held = data[self._missing :]
            data = data[: self._missing]
        self._body.append(data)
        self._missing -= len(data)
        if not self._missing and self._head is not None:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._answering = self._publish.answer(self._head, body)
            self._head, self._body = None, []
            self._advance()

    def _advance(self, _: object = None) -> None:
        """Go on with the answer up to the next future it waits for, or write it.

        That is what a task would do, at the price of itself and of a turn of the loop before it
        begins.
        """
        assert self._answering is not None  # noqa: S101  this is called by what it waits for
        try:
            waits_for = self._answering.send(None)
        except StopIteration as done:
            self._answering = None
            self._answered(done.value)
        else:
            waits_for.add_done_callback(self._advance)

    def _answered(self, answer: Answer) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.phase and self.answer_is_last():
            self._closing = True
        self.transport.write(self._written(answer))
        if self._closing:
            self.end()
        elif not (self._held and self.flow.write_paused):
            self._go_on()

    def _written(self, answer: Answer) -> bytes:
        if self._defaults is not self.server_state.default_headers:  # once a second: the date
            self._defaults = self.server_state.default_headers
            self._default_lines = _lines(self._defaults)
        close = b"connection: close\r\n" if self._closing else b""
        return b"%b%b%b%b\r\n%b" % (
            STATUS_LINE[answer.status],
            self._default_lines,
            _lines(answer.headers),
            close,
            answer.body,
        )

    def _go_on(self) -> None:
        """Turn to what came meanwhile, or wait for it as long as a connection is kept."""
        self.flow.resume_reading()
        if self._held:
            held, self._held = self._held, b""
            self.data_received(held)
        else:
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._look_at_time_in(self.timeout_keep_alive)

    def _look_at_time_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is idle for long; one timer does for many requests."""
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._answering is not None or self._head is not None:
            self._look_at_time_in(self.timeout_keep_alive)
        elif left > 0:
            self._look_at_time_in(left)
        else:
            super().timeout_keep_alive_handler()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._held and self._answering is None:
            self._go_on()

    def on_message_begin(self) -> None:
        self._within_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._within_head = False
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or not enough so, as any other error is answered."""
        self._refuse(400, msg)

    def _refuse(self, status: int, detail: str) -> None:
        if self.phase is not ENDED and not self.transport.is_closing():
            self._closing = True
            self.transport.write(self._written(plain_problem(status, detail)))
            self.end()
            record_request("unrouted", status)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head, self._body, self._held = None, [], b""

    def is_arriving(self) -> bool:
        return self._head is not None or super().is_arriving()

    def is_answering(self) -> bool:
        return self._answering is not None or bool(self._held) or super().is_answering()

    def has_unread(self) -> bool:
        return bool(self._held) or super().has_unread()


def _lines(headers: Headers) -> bytes:
    return b"".join([b"%b: %b\r\n" % header for header in headers])
