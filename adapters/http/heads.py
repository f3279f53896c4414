"""Heads of requests that are answered without ASGI, parsed by the server's own parser."""

from __future__ import annotations

import re
from collections.abc import Mapping

import httptools
from msgspec import Struct

MAX_HEAD = 2048
"""Maximum bytes of a head that is parsed here."""

_empty_line = re.compile(rb"\n\r?\n").search
_LEFT_TO_THE_SERVER = frozenset({b"transfer-encoding", b"expect"})


class Head(Struct, frozen=True):
    """The URL of a request as sent, and its headers, each once and with its name in lower case."""

    url: bytes
    headers: Mapping[bytes, bytes]


def parse_head(head: bytes) -> Head | None:
    """Return the parts of a head, None if it is to be left to the server.

    That is every head which is long or invalid, has a header twice, is not of HTTP/1.1, ends the
    connection or changes its protocol, or asks for more than reading a body of a declared length.
    `head` ends before its empty line.
    """
    if len(head) > MAX_HEAD:
        return None
    if _empty_line(head + b"\r\n"):  # the head would end here, before its end by the caller
        return None
    parts = _Parts()
    parser = parts.parser = httptools.HttpRequestParser(parts)
    # netdata ends the line with its credentials so. RFC 9112, section 2.2, allows it, and no
    # chunked body comes this way, in which it would be dangerous.
    parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
    try:
        parser.feed_data(head + b"\r\n\r\n")
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    if parser.get_http_version() != "1.1" or not parts.keep_alive:
        return None
    headers = dict(parts.headers)
    if len(headers) != len(parts.headers) or not _LEFT_TO_THE_SERVER.isdisjoint(headers):
        return None
    return Head(parts.url, headers)


class _Parts:
    """Collects the parts of a head that httptools parses."""

    parser: httptools.HttpRequestParser

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.keep_alive = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # Afterwards the parser forgets it, if the request has no body.
        self.keep_alive = self.parser.should_keep_alive()
