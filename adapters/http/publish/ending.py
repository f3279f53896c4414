"""uvicorn's protocol, ended so that no request is lost when its worker stops.

A client may send a request on a kept connection at any moment, even while it is being closed. So a
stop does not close a connection immediately. Requests that have arrived, or arrive shortly after,
are answered, the last one with `Connection: close`. Then the connection ends in two steps: writing
ends, and further input is read and dropped until the client closes its side. Closing a socket with
unread bytes would reset it, and the client could lose its last answer.
"""

from __future__ import annotations

import asyncio
import struct
import termios
from fcntl import ioctl
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from adapters.http.publish.upgrades import DecliningProtocol

QUIET_SECONDS = 0.7
"""How long a connection waits for another request, after the stop or the last answer."""

STALLED_SECONDS = 5.0
"""How long an incomplete request may take to send its next byte."""

UNASKED_SECONDS = 5.0
"""How long after the stop pipelined requests are still answered."""

LINGER_SECONDS = 0.25
"""How long input is dropped after the end, if the client does not close its side."""

SERVING, STOPPING, ENDED = range(3)
"""A connection's phases. Only the first is falsy, which is fast to check."""


class EndingProtocol(DecliningProtocol):
    """One connection. Subclasses report the requests that they answer themselves."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.phase = SERVING
        self.within_message = False
        self._marked: RequestResponseCycle | None = None
        self._stopped_at = self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def is_arriving(self) -> bool:
        """Return whether a request has arrived in part."""
        return self.within_message

    def is_answering(self) -> bool:
        """Return whether a request is not answered yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def has_unread(self) -> bool:
        """Return whether there are unread bytes of a further request."""
        pair = self.transport.get_extra_info("socket")
        (waiting,) = struct.unpack("i", ioctl(pair.fileno(), termios.FIONREAD, bytes(4)))
        return bool(waiting)

    def shutdown(self) -> None:
        """Answer the requests that have arrived or arrive shortly, then end the connection."""
        if self.phase is not SERVING or self.transport.is_closing():
            return
        self.phase = STOPPING
        self._stopped_at = self._heard_at = self.loop.time()
        self.mark_last()
        self._check_in(QUIET_SECONDS)

    def heeds(self) -> bool:
        """Note that a stopping connection received data. Return False if it must be dropped."""
        self._heard_at = self.loop.time()
        return self.phase is not ENDED

    def answer_is_last(self) -> bool:
        """Return whether a stopping connection's next answer is its last."""
        self._heard_at = self.loop.time()
        return self._heard_at - self._stopped_at > UNASKED_SECONDS or not self.has_unread()

    def mark_last(self) -> None:
        """Mark uvicorn's newest request as a stopping connection's last if no other follows."""
        newest = self.cycle
        former, self._marked = self._marked, None
        if former is not None and former is not newest and not former.response_started:
            former.keep_alive = True
        if newest is None or newest.response_started:
            return
        if newest is former or (newest.keep_alive and self.answer_is_last()):
            newest.keep_alive = False
            newest.transport = cast("asyncio.Transport", _LastTransport(self))
            self._marked = newest

    def end(self) -> None:
        """End writing, and close once the client has closed its side or after a timeout."""
        if self.phase is ENDED or self.transport.is_closing():
            return
        self.phase = ENDED
        self._unset_keepalive_if_required()
        self._stop_checking()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def on_message_begin(self) -> None:
        self.within_message = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self.within_message = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        if self.phase is ENDED:
            self.server_state.total_requests += 1
            return
        super().on_response_complete()
        if self.phase is STOPPING:
            self._heard_at = self.loop.time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_checking()
        super().connection_lost(exc)

    def _check(self) -> None:
        """End a stopping connection if it has been quiet long enough, or else check again later."""
        if self.transport.is_closing():
            return
        arriving = self.is_arriving()
        patience = STALLED_SECONDS if arriving else QUIET_SECONDS
        left = self._heard_at + patience - self.loop.time()
        if left > 0:
            self._check_in(left)
        elif self.has_unread() or (self.is_answering() and not arriving):
            self._check_in(QUIET_SECONDS)
        else:
            self.end()

    def _check_in(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._check)

    def _stop_checking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _LastTransport:
    """The transport for uvicorn's last answer: it closes the connection in two steps."""

    def __init__(self, protocol: EndingProtocol) -> None:
        self.write = protocol.transport.write
        self.is_closing = protocol.transport.is_closing
        self.close = protocol.end
