"""Following the masters of a cluster, and which of its slots each of them holds.

The URL has the form of the package `limits`, and so of Flask-Limiter; redis-py has none of its own:
``redis+cluster://[user:password@]host[:port][,host[:port]…][?options]``, and ``rediss+cluster://``
for TLS. The nodes in the URL need not be all of them. User, password and options are those of every
node. A cluster has no databases, so a URL that names one is refused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import ConnectionError as DriverConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.redis_streams.urls import Address, ServersUrl
from adapters.redis_streams.watched import ASKED_SECONDS, Watched

KIND = "cluster"
DEFAULT_PORT = 6379
ENOUGH_ANSWERS = 3
"""So many nodes are asked each time: one that was cut off does not know what has changed."""


class ClusterUrl(Struct, frozen=True):
    """Where some nodes of the cluster are, and redis-py's options for connections to all."""

    nodes: tuple[Address, ...]
    tls: bool
    options: Mapping[str, Any]

    @classmethod
    def parse(cls, url: str) -> ClusterUrl:
        """Parse a URL. Raises ValueError, whose message has no secret of the URL."""
        parsed = ServersUrl.parse(url, KIND, port=DEFAULT_PORT, what="a node of the cluster")
        if parsed.path or "db" in parsed.options:
            raise ValueError("a cluster has no databases, so its URL must not name one")
        return cls(parsed.addresses, parsed.tls, parsed.options)


class Slots(Struct, frozen=True):
    """The masters of a cluster by their slots, as one node knows them.

    `ranges` are the first and the last slot, and the address of their master. The view with the
    highest epoch is the newest, if it is settled. That of a node which was cut off or has just
    started is not. `others` are the replicas' addresses.
    """

    settled: bool
    epoch: int
    ranges: tuple[tuple[int, int, Address], ...]
    others: frozenset[Address] = frozenset()

    @property
    def masters(self) -> frozenset[Address]:
        return frozenset(address for _, _, address in self.ranges)

    def master(self, slot: int) -> Address | None:
        """Return the address of a slot's master, or None if it has none."""
        for first, last, address in self.ranges:
            if first <= slot <= last:
                return address
        return None


class Topology(Watched[Slots]):
    """The masters of a cluster, as its nodes know them."""

    def __init__(self, url: ClusterUrl) -> None:
        super().__init__("cluster")
        self._url = url
        self._nodes: dict[Address, Redis] = {}
        self._newest: Slots | None = None
        self._former: set[Address] = set()

    def close(self) -> None:
        super().close()
        for node in self._nodes.values():
            node.close()

    def connected(self, connection: Any) -> None:
        """Shut down a connection of redis-py's once its server is not a master any more."""
        self.opened(connection._sock, (connection.host, int(connection.port)))  # noqa: SLF001

    def _is_in_charge(self, address: Address, where: Slots) -> bool:
        # One that never had a slot may be getting its first one.
        return address not in self._former or address in where.masters

    def _ask(self) -> Slots:
        views: list[Slots] = []
        reasons = []
        for address in self._known():
            try:
                views.append(self._view_of(address))
            except RedisError as error:
                reasons.append(str(error))
            if len(views) == ENOUGH_ANSWERS:
                break
        if not views:
            raise DriverConnectionError(f"no node of the cluster answers: {'; '.join(reasons)}")
        newest = max(views, key=lambda view: (view.settled, view.epoch))
        if self._newest is None or newest.epoch >= self._newest.epoch:
            self._newest = newest
            self._former |= newest.masters
        return self._newest

    def _known(self) -> list[Address]:
        """Return the addresses of all known nodes, in random order."""
        known = set(self._url.nodes)
        if (newest := self._newest) is not None:
            known |= newest.masters | newest.others
        return random.sample(sorted(known), len(known))

    def _view_of(self, address: Address) -> Slots:
        node = self._node(address)
        about: Any = node.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
        slots: Any = node.execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
        ranges, others = [], set()
        for first, last, master, *replicas in slots:
            ranges.append((first, last, _endpoint(master, address)))
            others |= {_endpoint(replica, address) for replica in replicas}
        return Slots(
            about["cluster_state"] == "ok",
            int(about["cluster_current_epoch"]),
            tuple(ranges),
            frozenset(others),
        )

    def _node(self, address: Address) -> Redis:
        with self._lock:
            if address not in self._nodes:
                host, port = address
                self._nodes[address] = Redis(
                    **{
                        **self._url.options,
                        "host": host,
                        "port": port,
                        "ssl": self._url.tls,
                        "socket_timeout": ASKED_SECONDS,
                        "socket_connect_timeout": ASKED_SECONDS,
                        "retry": Retry(NoBackoff(), 0),
                        "protocol": 2,
                    }
                )
            return self._nodes[address]


def slot_of(key: str) -> int:
    """Return the slot of a key."""
    return int(key_slot(key.encode()))


def _endpoint(node: Any, asked: Address) -> Address:
    """Return the address of a node in CLUSTER SLOTS; without a host it is that of the one asked."""
    host, port, *_ = node
    return (host.decode() if host else asked[0]), int(port)
