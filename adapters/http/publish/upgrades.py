"""uvicorn's protocol, with offers to change the protocol declined.

Java's HTTP client and `curl --http2` offer h2c with their first request. A server may ignore such
an offer, and then has to serve the request as if there were none (RFC 9110, section 7.8).
httptools ends a request with an offer after its head instead, so that its body would be lost, or be
read as the next request. Such a head is parsed a second time, without the offer.
"""

from __future__ import annotations

import sys
from typing import Any

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_OFFER = b"upgrade"


class DecliningProtocol(HttpToolsProtocol):
    """One connection, on which HTTP/1.1 is the only protocol."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._declined: bytes | None = None
        self._parsed = 0

    def data_received(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            super().data_received(rest)  # type: ignore[arg-type]  # httptools takes any buffer
            if self._declined is None:
                return
            rest = rest[self._parsed :]
            head, self._declined = self._declined, None
            # Not the same parser, which reads no further request if this was to be the last.
            self.parser = HttpRequestParser(self)
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
            super().data_received(head)

    def on_headers_complete(self) -> None:
        if not self.parser.should_upgrade() or not any(name == _OFFER for name, _ in self.headers):
            super().on_headers_complete()
            return
        lines = [
            b"%b %b HTTP/%b"
            % (self.parser.get_method(), self.url, self.parser.get_http_version().encode()),
            *(b"%b: %b" % field for field in self.headers if field[0] != _OFFER),
        ]
        self._declined = b"\r\n".join(lines) + b"\r\n\r\n"

    def on_message_complete(self) -> None:
        if self._declined is None:
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Note where the head ends that httptools has just parsed."""
        self._parsed = sys.exception().args[0]  # type: ignore[union-attr]  # HttpParserUpgrade
