"""Heads of publish requests, which most clients send unchanged again and again.

The heads of a client's requests differ in the body's length at most. So parsed heads are remembered
by their bytes, and parsing one again is a single look-up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import httptools
from msgspec import Struct

from adapters.http.credentials import influx_token, presented_token
from adapters.http.errors import MissingCredentials, UnsupportedMedia
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.routes import Destination, PublishRoute, find_destination
from adapters.http.publish.url_parameters import url_parameters
from domain.errors import Forbidden

MAX_HEAD = 2048
"""Maximum bytes of a head that is remembered."""

MAX_HEADS = 1024
"""Maximum number of heads that are remembered. Past it, all are forgotten and parsed again."""

_START = b"POST /"
_empty_line = re.compile(rb"\n\r?\n").search
_NOT_PLAIN = frozenset({b"transfer-encoding", b"expect", b"idempotency-key"})


class PlainHead(Struct, frozen=True):
    """The parsed head of a plain publish request.

    `coding` is that of its body, None for none, and `length` the bytes of its body as sent.
    """

    path: str
    destination: Destination
    asked: Asked
    coding: str | None
    token: str
    length: int


class PlainHeads:
    """Parses heads of requests whose bodies have at most `max_body` bytes. For one event loop."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._known: dict[bytes, PlainHead] = {}

    def find(self, head: bytes) -> PlainHead | None:
        """Return a parsed head, None if it is not plain. `head` ends before its empty line.

        A plain head is of a publish with a declared length and a readable token, on a connection
        that is kept. All others are left to the server's own protocol.
        """
        found = self._known.get(head)
        if found is None and len(head) <= MAX_HEAD and head.startswith(_START):
            found = self._read(head)
            if found is not None:
                if len(self._known) >= MAX_HEADS:
                    self._known.clear()
                self._known[head] = found
        return found

    def _read(self, head: bytes) -> PlainHead | None:
        if _empty_line(head + b"\r\n"):  # the head would end here, before its end by the caller
            return None
        parts = _Parts()
        parser = httptools.HttpRequestParser(parts)
        # netdata ends the line with its credentials so. RFC 9112, section 2.2, allows it, and no
        # chunked body comes this way, in which it would be dangerous.
        parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        try:
            parser.feed_data(head + b"\r\n\r\n")
            if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
                return None
            headers = dict(parts.headers)
            if len(headers) != len(parts.headers) or not _NOT_PLAIN.isdisjoint(headers):
                return None
            url, _, query = parts.url.partition(b"?")
            destination = _destination(url)
            if destination is None:
                return None
            route, parameters = destination.route, url_parameters(query)
            content_type = headers.get(b"content-type")
            asked = Asked(route.format_of(content_type), parameters)
            coding = route.coding_of(headers.get(b"content-encoding"), content_type)
            token = route_token(route, headers.get(b"authorization"), parameters)
        except (
            httptools.HttpParserError,
            httptools.HttpParserUpgrade,
            MissingCredentials,
            UnsupportedMedia,
            Forbidden,
        ):
            return None
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > self._max_body:
            return None
        return PlainHead(url.decode(), destination, asked, coding, token, int(length))


def route_token(
    route: PublishRoute, authorization: bytes | None, parameters: Mapping[str, str]
) -> str:
    """Return the token of a request. Raises MissingCredentials, Forbidden."""
    if route.tokens_in_parameters:
        return influx_token(authorization, parameters)
    return presented_token(authorization)


class _Parts:
    """Collects the parts of a head that httptools parses."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def _destination(url: bytes) -> Destination | None:
    if not url.isascii() or any(mark in url for mark in b"%#"):
        return None
    return find_destination(url.decode())
