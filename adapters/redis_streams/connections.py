"""Connections to the log server that a URL names: a server, or the primary of a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from redis import BlockingConnectionPool, ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry

from adapters.redis_streams.sentinel import (
    CONNECT_SECONDS,
    Address,
    Primary,
    PrimaryConnection,
    PrimarySSLConnection,
    SentinelUrl,
    is_sentinel_url,
)


class Connections:
    """Makes clients of the log server. Thread-safe; close it after use, and the clients before.

    What this class sets (timeouts, no retries, replies as bytes) overrides options in the URL. No
    command is ever sent again: an append retried after a lost reply could be stored twice. Nothing
    connects before the first command.

    Raises `ValueError` for a URL that it does not understand; the message has no secret of it.
    """

    def __init__(self, url: str) -> None:
        self._primary: Primary | None = None
        self._tls = False
        if is_sentinel_url(url):
            parsed = SentinelUrl.parse(url)
            self._primary = Primary(parsed)
            self._tls = parsed.tls
            self._options = dict(parsed.options)
        else:
            self._options = dict(parse_url(url))  # type: ignore[no-untyped-call]
            self._tls = self._options.get("connection_class") is SSLConnection

    def client(
        self, *, timeout: float, reply_timeout: float | None = None, size: int | None = None
    ) -> Redis:
        """Return a client with a pool of at most `size` connections, without limit if None.

        `timeout` limits, in seconds, the waits for a free connection and for connecting, and for
        a reply too unless `reply_timeout` does.
        """
        options: dict[str, Any] = self._options | {
            "socket_connect_timeout": timeout,
            "socket_timeout": timeout if reply_timeout is None else reply_timeout,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "protocol": 2,
            "decode_responses": False,
        }
        if self._primary is not None:
            options |= {
                "primary": self._primary,
                "connection_class": PrimarySSLConnection if self._tls else PrimaryConnection,
                "socket_connect_timeout": min(timeout, CONNECT_SECONDS),
            }
        if size is None:
            return Redis(connection_pool=ConnectionPool(**options))
        pool = BlockingConnectionPool(max_connections=size, timeout=timeout, **options)  # type: ignore[no-untyped-call]
        return Redis(connection_pool=pool)

    def address(self) -> Mapping[str, Any]:
        """Return where to connect now, for who speaks the protocol itself; may block if `moves`.

        It has `path`, or `host` and `port`; `tls`; and `username`, `password` and `db` if given.
        Raises redis-py's ConnectionError.
        """
        found = {**self._options, "tls": self._tls}
        if self._primary is not None:
            found["host"], found["port"] = self._primary.address()
        return found

    @property
    def moves(self) -> bool:
        """Whether the address may change."""
        return self._primary is not None

    def listen(self, listener: Callable[[Address], None]) -> None:
        """Call `listener` with the address now and then if it may change; see `Primary.listen`."""
        if self._primary is not None:
            self._primary.listen(listener)

    def close(self) -> None:
        """Stop following the address."""
        if self._primary is not None:
            self._primary.close()
