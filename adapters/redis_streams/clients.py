"""Clients of the log: of one server, or of a cluster, whose servers hold different keys."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis, RedisCluster
from redis.backoff import NoBackoff
from redis.cluster import PRIMARY, ClusterNode, NodesManager, get_node_name
from redis.exceptions import (
    AskError,
    ClusterDownError,
    RedisClusterException,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import TimeoutError as DriverTimeoutError
from redis.retry import Retry

from adapters.redis_streams.urls import Address

Client = Redis | RedisCluster
T = TypeVar("T")

DRIVER_ERRORS = (RedisError, RedisClusterException)
"""All that a client raises: what concerns a cluster as a whole is no `RedisError`."""

REFUSED_ELSEWHERE = (AskError, TryAgainError, ClusterDownError)
"""What a node of a cluster answers for a key that it does not serve now; MOVED is an AskError."""

FOLLOW_SECONDS = 2.0
FOLLOW_PAUSE = 0.05


class ClusterClient(RedisCluster):
    """redis-py's client of a cluster, which sends a command to the server that holds its key.

    A command that was refused because its key is elsewhere is sent there; nothing else is sent
    again. Unlike redis-py's, it knows where the keys of scripts, functions and XREAD are without
    asking a server, which may be the one that is down, and follows ASK to a server that has no slot
    yet.
    """

    def __init__(self, nodes: tuple[Address, ...], **options: Any) -> None:
        (host, port), *others = nodes
        bracketed = f"[{host}]" if ":" in host else host
        # With a URL it makes the pools and connections of the classes in the options.
        super().__init__(
            url=f"redis://{bracketed}:{port}",
            startup_nodes=[ClusterNode(host, port) for host, port in others],  # type: ignore[no-untyped-call]
            require_full_coverage=False,
            reinitialize_steps=1,
            retry=Retry(NoBackoff(), 0),
            **options,
        )
        self.nodes_manager.__class__ = _Nodes

    def determine_slot(self, *args: Any) -> int | None:
        match str(args[0]).upper():
            case "EVAL_RO" | "FCALL" | "FCALL_RO" if int(args[2]):
                return int(self.keyslot(args[3]))  # type: ignore[no-untyped-call]
            case "XREAD":
                return int(self.keyslot(args[args.index(b"STREAMS") + 1]))  # type: ignore[no-untyped-call]
        return super().determine_slot(*args)


class _Nodes(NodesManager):
    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        found = super().get_node(host, port, node_name)
        if found is None and node_name is not None:
            name, _, number = node_name.rpartition(":")
            found = ClusterNode(name, int(number), PRIMARY)  # type: ignore[no-untyped-call]
            with self._lock:
                self.create_redis_connections([found])  # type: ignore[no-untyped-call]
                self.nodes_cache[get_node_name(name, int(number))] = found
        return found


def servers_of(client: Client) -> Mapping[str, Redis]:
    """Return a client of each server that holds keys, by its name; the only one's is empty."""
    if isinstance(client, RedisCluster):
        return {
            node.name: client.get_redis_connection(node)
            for node in sorted(client.get_primaries(), key=lambda node: str(node.name))  # type: ignore[no-untyped-call]
        }
    return {"": client}


def server_of(client: Client, key: str) -> Redis:
    """Return a client of the server that holds a key, as far as this one knows now."""
    if isinstance(client, RedisCluster):
        return client.get_redis_connection(client.get_node_from_key(key))  # type: ignore[no-untyped-call]
    return client


def server_name(client: Client, key: str) -> str:
    """Return the name of the server that holds a key, as `servers_of` names it."""
    if isinstance(client, RedisCluster):
        return str(client.get_node_from_key(key).name)  # type: ignore[no-untyped-call]
    return ""


def on_one_connection(client: Client, key: str, use: Callable[[Redis], T]) -> T:
    """Call `use` with a client that has one connection, to the server that holds a key.

    Calls it again if it raises because the server does not hold the key any more; then its commands
    with keys were not executed.
    """
    deadline = time.monotonic() + FOLLOW_SECONDS
    while True:
        pool = server_of(client, key).connection_pool
        try:
            with Redis(connection_pool=pool, single_connection_client=True) as connection:
                return use(connection)
        except REFUSED_ELSEWHERE:
            if not isinstance(client, RedisCluster) or time.monotonic() > deadline:
                raise
            client.nodes_manager.initialize()
            time.sleep(FOLLOW_PAUSE)
        except (DriverConnectionError, DriverTimeoutError):
            if isinstance(client, RedisCluster):
                with suppress(*DRIVER_ERRORS):  # the first error says more
                    client.nodes_manager.initialize(last_failed_node_name=server_name(client, key))
            raise


def together(
    client: Client, items: Iterable[T], key_of: Callable[[T], str], most: int
) -> Iterator[list[T]]:
    """Yield items in groups of at most `most`, whose keys are on one server.

    redis-py's pipelines over several servers send commands again after a lost connection, which is
    wrong for those that count or append. So these go to one server at a time.
    """
    groups: defaultdict[int, list[T]] = defaultdict(list)
    for item in items:
        cluster = isinstance(client, RedisCluster)
        groups[client.keyslot(key_of(item)) if cluster else 0].append(item)  # type: ignore[union-attr]
    for group in groups.values():
        for first in range(0, len(group), most):
            yield group[first : first + most]


def disconnect(client: Client) -> None:
    """Close the connections of a client, in use or not."""
    if isinstance(client, RedisCluster):
        client.disconnect_connection_pools()  # type: ignore[no-untyped-call]
    else:
        client.connection_pool.disconnect()
