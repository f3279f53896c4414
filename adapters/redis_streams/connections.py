"""Connections to the log that a URL names: a server, the primary of a service, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from redis import BlockingConnectionPool, ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, parse_url
from redis.retry import Retry

from adapters.redis_streams import cluster, sentinel
from adapters.redis_streams.clients import Client, ClusterClient
from adapters.redis_streams.cluster import ClusterUrl, Topology
from adapters.redis_streams.sentinel import (
    Primary,
    PrimaryConnection,
    PrimarySSLConnection,
    SentinelUrl,
)
from adapters.redis_streams.urls import Address, is_url_of
from adapters.redis_streams.watched import CONNECT_SECONDS


class Connections:
    """Makes clients of the log's servers. Thread-safe; close it after use, and the clients before.

    What this class sets (timeouts, no retries, replies as bytes) overrides options in the URL. No
    command is ever sent again: an append retried after a lost reply could be stored twice. Nothing
    connects before the first command, except to a cluster, whose servers `client` asks for.

    Raises `ValueError` for a URL that it does not understand; the message has no secret of it.
    """

    def __init__(self, url: str) -> None:
        self._primary: Primary | None = None
        self.topology: Topology | None = None
        """Follows the masters of a cluster; None if the log is on one server."""
        self._nodes: tuple[Address, ...] = ()
        if is_url_of(sentinel.KIND, url):
            service = SentinelUrl.parse(url)
            self._primary = Primary(service)
            self._tls = service.tls
            self._options = dict(service.options)
        elif is_url_of(cluster.KIND, url):
            nodes = ClusterUrl.parse(url)
            self.topology = Topology(nodes)
            self._nodes = nodes.nodes
            self._tls = nodes.tls
            self._options = dict(nodes.options)
        else:
            self._options = dict(parse_url(url))  # type: ignore[no-untyped-call]
            self._tls = self._options.get("connection_class") is SSLConnection

    def client(
        self, *, timeout: float, reply_timeout: float | None = None, size: int | None = None
    ) -> Client:
        """Return a client with a pool of at most `size` connections, without limit if None.

        `timeout` limits, in seconds, the waits for a free connection and for connecting, and for
        a reply too unless `reply_timeout` does. The client of a cluster has a pool per server.
        Raises one of `clients.DRIVER_ERRORS` if no node of the cluster answers.
        """
        options: dict[str, Any] = self._options | {
            "socket_connect_timeout": timeout,
            "socket_timeout": timeout if reply_timeout is None else reply_timeout,
            "protocol": 2,
            "decode_responses": False,
        }
        pool: dict[str, Any] = {} if size is None else {"max_connections": size, "timeout": timeout}
        pool_class: Any = ConnectionPool if size is None else BlockingConnectionPool
        if self.topology is not None:
            self.topology.where()
            options |= {
                "connection_pool_class": pool_class,
                "connection_class": SSLConnection if self._tls else Connection,
                "redis_connect_func": self.topology.connected,
                "socket_connect_timeout": min(timeout, CONNECT_SECONDS),
            }
            return ClusterClient(self._nodes, **options, **pool)
        options |= {"retry": Retry(NoBackoff(), 0), "retry_on_error": []}
        if self._primary is not None:
            options |= {
                "primary": self._primary,
                "connection_class": PrimarySSLConnection if self._tls else PrimaryConnection,
                "socket_connect_timeout": min(timeout, CONNECT_SECONDS),
            }
        return Redis(connection_pool=pool_class(**options, **pool))

    def address(self) -> Mapping[str, Any]:
        """Return where to connect now, for who speaks the protocol itself; may block if `moves`.

        It has `path`, or `host` and `port`; `tls`; and `username`, `password` and `db` if given.
        For a cluster, host and port are missing. Raises redis-py's ConnectionError.
        """
        found = {**self._options, "tls": self._tls}
        if self._primary is not None:
            found["host"], found["port"] = self._primary.where()
        return found

    @property
    def moves(self) -> bool:
        """Whether the address may change."""
        return self._primary is not None

    def listen(self, listener: Callable[[Address], None]) -> None:
        """Call `listener` with the address now and then if it may change; see `Watched.listen`."""
        if self._primary is not None:
            self._primary.listen(listener)

    def close(self) -> None:
        """Stop following the servers."""
        for watched in (self._primary, self.topology):
            if watched is not None:
                watched.close()
