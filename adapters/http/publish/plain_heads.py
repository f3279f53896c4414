"""Heads of publish requests as most clients send them, over and over the same.

A client's requests differ in their bodies; their heads are the same bytes, but for the length of
the body. So what a head says is remembered by its bytes, and reading one again is one look-up.
"""

from __future__ import annotations

import httptools
from msgspec import Struct

from adapters.http.body import check_media
from adapters.http.credentials import presented_token
from adapters.http.errors import MissingCredentials, UnsupportedMedia
from adapters.http.publish.routes import Destination, find_destination
from domain.errors import Forbidden

MAX_HEAD = 2048
"""Bytes of a head that is remembered."""

MAX_HEADS = 1024
"""Heads that are remembered; then all are forgotten, which costs reading them again."""

_START = b"POST /organizations/"
_NOT_PLAIN = frozenset({b"transfer-encoding", b"content-encoding", b"expect", b"idempotency-key"})


class PlainHead(Struct, frozen=True):
    """What a plain publish request's head says; `length` is that of its body, in bytes."""

    path: str
    destination: Destination
    token: str
    length: int


class PlainHeads:
    """Reads heads, of bodies of at most `max_body` bytes. For one event loop."""

    def __init__(self, max_body: int) -> None:
        self._max_body = max_body
        self._known: dict[bytes, PlainHead] = {}

    def find(self, head: bytes) -> PlainHead | None:
        """Return what a head (up to its empty line) says, None for any that is not plain.

        Plain is a publish whose body has a declared length and comes as it is, under a token that
        can be read, on a connection that is kept. Any other is for the server's own protocol.
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
        parts = _Parts()
        parser = httptools.HttpRequestParser(parts)
        try:
            parser.feed_data(head + b"\r\n\r\n")
            if parser.get_http_version() != "1.1" or not parser.should_keep_alive():
                return None
            headers = dict(parts.headers)
            if len(headers) != len(parts.headers) or not _NOT_PLAIN.isdisjoint(headers):
                return None
            destination = _destination(parts.url)
            if destination is None:
                return None
            check_media(headers, destination.route.media_types)
            token = presented_token(headers.get(b"authorization"))
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
        return PlainHead(parts.url.decode(), destination, token, int(length))


class _Parts:
    """What httptools finds in a head."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


def _destination(url: bytes) -> Destination | None:
    if not url.isascii() or any(mark in url for mark in b"%?#"):
        return None
    return find_destination(url.decode())
