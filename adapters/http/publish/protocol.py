"""uvicorn's protocol, with short ways for publish and for queries of points in memory.

The work of an ASGI server per request (a dozen parser callbacks, a scope, events, two messages)
costs as much as accepting a small batch. A plain publish needs none of it: its head is known, its
body has the declared length, and its answer is one write. A query of points in memory is answered
as soon as it is read. Any other request is passed to uvicorn's own protocol byte for byte, and all
may alternate on one connection.
"""

from __future__ import annotations

import sys
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from adapters.http.api.queries_at_hand import QueriesAtHand
from adapters.http.problems import header_lines, plain_problem
from adapters.http.publish.ending import ENDED, EndingProtocol
from adapters.http.publish.plain_heads import PlainHead, PlainHeads
from adapters.http.publish.plain_publish import PlainPublish
from adapters.http.telemetry import record_request

MAX_HEAD = 64 * 1024
"""Maximum bytes of a request's head, including its empty line. httptools itself has no limit."""

_END = b"\r\n\r\n"
_REQUEST_LINE = len(b"  HTTP/1.1\r\n\r\n")
_FIELD_LINE = len(b": \r\n")


class PublishProtocol(EndingProtocol):
    """One connection. All share `heads`, `publish` and `queries`; uvicorn passes the rest."""

    def __init__(
        self, heads: PlainHeads, publish: PlainPublish, queries: QueriesAtHand, **given: Any
    ) -> None:
        super().__init__(**given)
        self._heads = heads
        self._publish = publish
        self._queries = queries
        self._within_head = False
        self._head_bytes = 0
        self._pieces_bytes = 0
        self._refusal: tuple[int, str] | None = None
        self._refusal_is_answered = False
        self._receiving: tuple[RequestResponseCycle, RequestResponseCycle | None] | None = None
        self._head: PlainHead | None = None
        self._body: list[bytes] = []
        self._missing = 0
        self._answering = False
        self._defaults: list[tuple[bytes, bytes]] = []
        self._default_lines = b""
        self._idle_since = 0.0
        self._held = b""
        self._closing = False

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None or (self.phase and not self.heeds()):
            return
        if self._answering or self.flow.write_paused:
            # A client that pipelines requests gets its answers in order, one at a time. A client
            # that does not read its answers is not read from.
            self._held += data
            self.flow.pause_reading()
        elif self._head is not None:
            self._take(data)
        elif not self._begin(data):
            # A head is measured when it is complete. One that does not end is measured by those
            # pieces that belong to it entirely.
            more_of_a_head = self._within_head
            super().data_received(data)
            if more_of_a_head and self._within_head:
                self._pieces_bytes += len(data)
                if self._pieces_bytes > MAX_HEAD:
                    self._refuse_head()
            if self.phase:
                self.mark_last()

    def _begin(self, data: bytes) -> bool:
        """Take the first piece of a request for a short way. Return False if it is not one."""
        if self.within_message or (self.cycle is not None and not self.cycle.response_complete):
            return False
        end = data.find(_END)
        if end <= 0:
            return False
        head = self._heads.find(data[:end])
        if head is None:
            return end + len(_END) == len(data) and self._answer_at_hand(data[:end])
        body = data[end + len(_END) :]
        if len(body) == head.length:
            self._publish_complete(head, body)
            return True
        if len(body) < head.length and not self._publish.admits(head):
            return False
        self._head = head
        self._missing = head.length
        self._take(body)
        return True

    def _answer_at_hand(self, head: bytes) -> bool:
        """Answer a query at once. Return False if that is not possible, or it is not a query."""
        answer = self._queries.answer(head)
        if answer is None:
            return False
        self._answered(answer.status, header_lines(answer.headers), answer.body)
        return True

    def _take(self, data: bytes) -> None:
        """Take a piece of the body, and start to answer once the body is complete."""
        if len(data) > self._missing:
            self._held = data[self._missing :]
            data = data[: self._missing]
        self._body.append(data)
        self._missing -= len(data)
        if not self._missing and self._head is not None:
            head, body = self._head, b"".join(self._body)
            self._head, self._body = None, []
            self._publish_complete(head, body)

    def _publish_complete(self, head: PlainHead, body: bytes) -> None:
        self._answering = True
        self._publish.take(head, body, self._answered)

    def _answered(self, status: int, lines: bytes, body: bytes) -> None:
        self._answering = False
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.phase and self.answer_is_last():
            self._closing = True
        self.transport.write(self._written(status, lines, body))
        if self._closing:
            self.end()
        elif not (self._held and self.flow.write_paused):
            self._go_on()

    def _written(self, status: int, lines: bytes, body: bytes) -> bytes:
        if (
            self._defaults is not self.server_state.default_headers
        ):  # changes once a second, with the date
            self._defaults = self.server_state.default_headers
            self._default_lines = header_lines(self._defaults)
        close = b"connection: close\r\n" if self._closing else b""
        return b"%b%b%b%b\r\n%b" % (
            STATUS_LINE[status],
            self._default_lines,
            lines,
            close,
            body,
        )

    def _go_on(self) -> None:
        """Process the data received meanwhile, or wait for a request until the idle timeout."""
        self.flow.resume_reading()
        if self._held:
            held, self._held = self._held, b""
            self.data_received(held)
        else:
            self._idle_since = self.loop.time()
            if self.timeout_keep_alive_task is None:
                self._check_idle_in(self.timeout_keep_alive)

    def _check_idle_in(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection if it was idle for too long. One timer serves many requests."""
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if self._answering or self._head is not None:
            self._check_idle_in(self.timeout_keep_alive)
        elif left > 0:
            self._check_idle_in(left)
        else:
            super().timeout_keep_alive_handler()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._held and not self._answering:
            self._go_on()

    def on_message_begin(self) -> None:
        self._within_head = True
        self._head_bytes = self._pieces_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._head_bytes += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + _FIELD_LINE
        if name.lower() == b"transfer-encoding" and value.strip().lower() != b"chunked":
            self._refuse_coding()
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._within_head = False
        if self._head_bytes + len(self.parser.get_method()) + _REQUEST_LINE > MAX_HEAD:
            self._refuse_head()
        if self._refusal is None:
            before = self.cycle
            super().on_headers_complete()
            if self.cycle is not before:
                self._receiving = self.cycle, before

    def on_body(self, body: bytes) -> None:
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._receiving = None
        if self._refusal is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._answer_refused()

    def send_400_response(self, msg: str) -> None:
        """Answer invalid HTTP with a problem document."""
        # httptools refuses a coding after chunked by itself (RFC 9112, section 6.1).
        if "Invalid `Transfer-Encoding` header" in str(sys.exception()):
            self._refuse_coding()
        self._refuse(400, msg)

    def _refuse_head(self) -> None:
        self._refuse(431, f"the request line and headers exceed {MAX_HEAD} bytes")

    def _refuse_coding(self) -> None:
        self._refuse(501, "the only transfer coding is chunked; use Content-Encoding to compress")

    def _refuse(self, status: int, detail: str) -> None:
        """Read no more, and end the connection with this answer after those to earlier requests."""
        if self._refusal is None:
            self._refusal = status, detail
            if self._receiving is not None:
                self._abandon(*self._receiving)
            self._answer_refused()

    def _abandon(self, request: RequestResponseCycle, before: RequestResponseCycle | None) -> None:
        """End a request whose body turned out to be invalid, as if its client had left.

        If its answer has already begun, that is its only one.
        """
        if request.response_started:
            self._refusal_is_answered = True
            return
        if self.pipeline and self.pipeline[0][0] is request:
            self.pipeline.popleft()
        self.cycle = before  # type: ignore[assignment]  # None before the first, as in uvicorn
        request.disconnected = True
        request.message_event.set()

    def _answer_refused(self) -> None:
        """Answer a refused request, once all earlier requests are answered."""
        if (
            self._refusal is None
            or self.pipeline
            or super().is_answering()
            or self.phase is ENDED
            or self.transport.is_closing()
        ):
            return
        if self._refusal_is_answered:
            self.end()
            return
        status, detail = self._refusal
        self._closing = True
        problem = plain_problem(status, detail)
        lines = header_lines(problem.headers)
        self.transport.write(self._written(status, lines, problem.body))
        self.end()
        record_request("unrouted", status)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._head, self._body, self._held = None, [], b""

    def is_arriving(self) -> bool:
        return self._head is not None or super().is_arriving()

    def is_answering(self) -> bool:
        return self._answering or bool(self._held) or super().is_answering()

    def has_unread(self) -> bool:
        return bool(self._held) or super().has_unread()
