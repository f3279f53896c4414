"""Heads of publish requests, which most clients send unchanged again and again.

The heads of a client's requests differ in the body's length at most. So parsed heads are remembered
by their bytes, and parsing one again is a single look-up.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from adapters.http.credentials import influx_token, presented_token
from adapters.http.errors import MissingCredentials, UnsupportedMedia
from adapters.http.heads import MAX_HEAD, parse_head
from adapters.http.publish.answers.ports import Asked
from adapters.http.publish.routes import Destination, PublishRoute, find_destination
from adapters.http.publish.url_parameters import url_parameters
from domain.errors import Forbidden

MAX_HEADS = 1024
"""Maximum number of heads that are remembered. Past it, all are forgotten and parsed again."""

SHARED_FORMAT = "json"
"""The format whose bodies are decoded together."""

_START = b"POST /"
_SHARED = Asked(SHARED_FORMAT)


class PlainHead(Struct, frozen=True):
    """The parsed head of a plain publish request.

    `coding` is that of its body, None for none, and `length` the bytes of its body as sent.
    `is_shared` says that nothing but its body distinguishes it from others of the shared format.
    """

    path: str
    destination: Destination
    asked: Asked
    coding: str | None
    token: str
    length: int
    is_shared: bool


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
        parsed = parse_head(head)
        if parsed is None or b"idempotency-key" in parsed.headers:
            return None
        headers = parsed.headers
        url, _, query = parsed.url.partition(b"?")
        destination = _destination(url)
        if destination is None:
            return None
        try:
            route, parameters = destination.route, url_parameters(query)
            content_type = headers.get(b"content-type")
            asked = Asked(route.format_of(content_type), parameters)
            coding = route.coding_of(headers.get(b"content-encoding"), content_type)
            token = route_token(route, headers.get(b"authorization"), parameters)
        except (MissingCredentials, UnsupportedMedia, Forbidden):
            return None
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or int(length) > self._max_body:
            return None
        is_shared = asked == _SHARED and coding is None
        return PlainHead(url.decode(), destination, asked, coding, token, int(length), is_shared)


def route_token(
    route: PublishRoute, authorization: bytes | None, parameters: Mapping[str, str]
) -> str:
    """Return the token of a request. Raises MissingCredentials, Forbidden."""
    if route.tokens_in_parameters:
        return influx_token(authorization, parameters)
    return presented_token(authorization)


def _destination(url: bytes) -> Destination | None:
    if not url.isascii() or any(mark in url for mark in b"%#"):
        return None
    return find_destination(url.decode())
