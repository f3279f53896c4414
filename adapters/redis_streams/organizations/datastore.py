"""Connections to the server that holds one application's events."""

from threading import Lock
from typing import Any

from eventsourcing.persistence import ConnectionPoolClosedError
from redis import Redis

from adapters.redis_streams.clients import Client, disconnect, on_one_connection
from adapters.redis_streams.connections import Connections
from adapters.redis_streams.durability import FENCE, replica_wait
from adapters.redis_streams.errors import NotReplicatedError, translated
from adapters.redis_streams.functions import EVENTS
from application.event_log.durability import NO_REPLICAS, Durability

NOT_REPLICATED = "the outcome is unknown: the events are on the log server"


class Datastore:
    """A thread-safe pool of connections.

    `timeout` limits, in seconds, each wait: for a free connection, for connecting, and for a reply.
    Nothing connects before the first command, and none is ever sent again. What is recorded is as
    durable as `durability` says.

    Raises `ValueError` for a URL that `Connections` does not understand.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        pool_size: int = 20,
        durability: Durability = NO_REPLICAS,
    ) -> None:
        self._connections = Connections(url)
        self._timeout = timeout
        self._durability = durability
        self._pool_size = pool_size
        self._lock = Lock()
        self._client: Client | None = None
        self._closed = False

    @property
    def client(self) -> Client:
        """The pooled client; raises `ConnectionPoolClosedError` after `close`.

        The first call for a cluster connects to it. See `errors` for what it raises.
        """
        with self._lock, translated():
            if self._closed:
                raise ConnectionPoolClosedError
            if self._client is None:
                self._client = self._connections.client(timeout=self._timeout, size=self._pool_size)
            return self._client

    def load_functions(self) -> None:
        """Load the server-side functions, unless the server is full or read-only now.

        See `errors` for what it raises.
        """
        with translated():
            EVENTS.load(self.client)

    def select(self, keys: list[str], args: list[str | bytes | int]) -> Any:
        """Call the function that reads; see `errors` for what it raises."""
        with translated():
            return EVENTS.call(self.client, "select", keys, args, reads_only=True)

    def record(
        self, keys: list[str], args: list[str | bytes | int], *, when_full: bool = False
    ) -> Any:
        """Call the function that writes, and return its reply once that is durable.

        See `errors` for what it raises.
        """
        function = "record_when_full" if when_full else "record"
        if not self._durability.replicas:
            with translated():
                return EVENTS.call(self.client, function, keys, args, allows_oom=when_full)

        def record_and_wait(connection: Redis) -> Any:
            reply = EVENTS.call(connection, function, keys, args, allows_oom=when_full)
            self._wait_for_replicas(connection)
            return reply

        with translated():
            return on_one_connection(self.client, keys[0], record_and_wait)

    def confirm(self, fence: str) -> None:
        """Return once everything written until now, by whomever, is durable.

        `fence` is a key to write. See `errors` for what it raises.
        """

        def write_and_wait(connection: Redis) -> None:
            connection.eval(FENCE, 1, fence)
            self._wait_for_replicas(connection)

        if self._durability.replicas:
            with translated():
                on_one_connection(self.client, fence, write_and_wait)

    def _wait_for_replicas(self, connection: Redis) -> None:
        server: Any = connection.info("server")
        wait = replica_wait(self._durability, server)
        assert wait is not None  # noqa: S101  there are replicas to wait for
        replies = [connection.execute_command(*command) for command in wait.commands]  # type: ignore[no-untyped-call]
        if (failure := wait.failure(replies)) is not None:
            raise NotReplicatedError(
                f"{NOT_REPLICATED}: {failure}; they are lost if it is lost before a replica has "
                "them"
            )

    def dedicated_client(self, blocking: float) -> Client:
        """Return a client with one connection of its own, for commands that block.

        `blocking` is the longest that they block, in seconds. The caller closes it. Connects as
        `client` does.
        """
        with translated():
            return self._connections.client(
                timeout=self._timeout, reply_timeout=self._timeout + blocking, size=1
            )

    def close(self) -> None:
        """Close the pooled connections, in use or not. It cannot be reopened."""
        with self._lock:
            self._closed = True
            client = self._client
        if client is not None:
            disconnect(client)
        self._connections.close()
