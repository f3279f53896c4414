"""Connections to one server."""

from typing import Any, Literal

from eventsourcing.persistence import ConnectionPoolClosedError
from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from adapters.redis_streams.errors import translated
from adapters.redis_streams.functions import EVENTS


class Datastore:
    """A thread-safe pool of connections.

    `timeout` limits, in seconds, each wait: for a free connection, for connecting, and for a reply.
    No command is ever sent again: an append retried after a lost reply could be stored twice.
    What this class sets (timeouts, no retries, replies as bytes) overrides options in the URL.
    Nothing connects before the first command.

    Raises `ValueError` for a URL that redis-py does not understand.
    """

    def __init__(self, url: str, *, timeout: float = 5.0, pool_size: int = 20) -> None:
        self._url = url
        self._timeout = timeout
        self._client = self._connect(pool_size, timeout)
        self._closed = False

    @property
    def client(self) -> Redis:
        """The pooled client; raises `ConnectionPoolClosedError` after `close`."""
        if self._closed:
            raise ConnectionPoolClosedError
        return self._client

    def load_functions(self) -> None:
        """Load the server-side functions, unless the server is full or read-only now.

        See `errors` for what it raises.
        """
        with translated():
            EVENTS.load(self.client)

    def call(
        self,
        function: Literal["record", "record_when_full", "select"],
        keys: list[str],
        args: list[str | bytes | int],
    ) -> Any:
        """Call a server-side function; see `errors` for what it raises."""
        with translated():
            return EVENTS.call(
                self.client,
                function,
                keys,
                args,
                reads_only=function == "select",
                allows_oom=function == "record_when_full",
            )

    def dedicated_client(self, blocking: float) -> Redis:
        """Return a client with one connection of its own, for commands that block.

        `blocking` is the longest that they block, in seconds. The caller closes it.
        """
        return self._connect(1, self._timeout + blocking)

    def close(self) -> None:
        """Close the pooled connections, in use or not. It cannot be reopened."""
        self._closed = True
        self._client.connection_pool.disconnect()

    def _connect(self, size: int, reply_timeout: float) -> Redis:
        # The two ignores: redis-py lacks annotations there.
        fixed: dict[str, Any] = {
            "socket_connect_timeout": self._timeout,
            "socket_timeout": reply_timeout,
            "retry": Retry(NoBackoff(), 0),
            "retry_on_error": [],
            "protocol": 2,
            "decode_responses": False,
        }
        options = parse_url(self._url) | fixed  # type: ignore[no-untyped-call]
        pool = BlockingConnectionPool(  # type: ignore[no-untyped-call]
            max_connections=size, timeout=self._timeout, **options
        )
        return Redis(connection_pool=pool)
