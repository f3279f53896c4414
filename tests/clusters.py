"""Clusters for tests: masters, replicas, and slots that move.

All nodes are Valkey from its wheel, on ports of the loopback interface.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.servers import LogServer, free_port, valkey_binary
from tests.waiting import wait_until

HOST = "127.0.0.1"
PATIENCE = 60.0
MIGRATE_MS = 10_000
ANSWER_SECONDS = 1.0
"""A node that takes longer counts as one that is paused."""


class Cluster:
    """Masters that share the slots in equal parts, and replicas of each of them.

    `spare` further masters have no slots. A node is called down after `down_after` ms.
    """

    def __init__(
        self,
        directory: Path,
        *,
        masters: int = 3,
        replicas: int = 0,
        spare: int = 0,
        down_after: int = 1000,
        binary: str | None = None,
    ) -> None:
        self._directory = directory
        self._down_after = down_after
        self._binary = binary or valkey_binary()
        self.nodes: list[LogServer] = []
        self._bus: dict[int, int] = {}
        first = [self._add() for _ in range(masters)]
        step = REDIS_CLUSTER_HASH_SLOTS / masters
        for number, node in enumerate(first):
            low, high = round(number * step), round((number + 1) * step) - 1
            self._run(node, "CLUSTER", "ADDSLOTSRANGE", low, high)
            self._run(node, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        upstream = {self._add().port: node for node in first for _ in range(replicas)}
        for _ in range(spare):
            self._add()
        for node in self.nodes[1:]:
            self._run(node, "CLUSTER", "MEET", HOST, self.nodes[0].port, self._bus[first[0].port])
        wait_until(self._all_know_all, PATIENCE)
        for node in self.nodes:
            if (master := upstream.get(node.port)) is not None:
                self._run(node, "CLUSTER", "REPLICATE", self.id_of(master))
        wait_until(self.is_whole, PATIENCE)

    @property
    def url(self) -> str:
        return f"redis+cluster://{','.join(f'{HOST}:{node.port}' for node in self.nodes[:2])}"

    def clear(self) -> None:
        """Delete every key and function."""
        for node in self.masters():
            self._run(node, "FLUSHALL")
            self._run(node, "FUNCTION", "FLUSH")

    def masters(self) -> list[LogServer]:
        """Return the masters that have slots."""
        ports = {port for _, port in self._ranges()}
        return [node for node in self.nodes if node.port in ports]

    def spares(self) -> list[LogServer]:
        """Return the nodes that have no slots and are no replicas."""
        masters = self.masters()
        return [
            node for node in self.nodes if node not in masters and self._role(node) == b"master"
        ]

    def master_of(self, key: str) -> LogServer:
        """Return the node that holds a key, as most nodes say; it may be down."""
        slot = key_slot(key.encode())
        [port] = [port for slots, port in self._ranges() if slot in slots]
        return next(node for node in self.nodes if node.port == port)

    def replicas_of(self, node: LogServer) -> list[LogServer]:
        found = self._run(node, "CLUSTER", "REPLICAS", self.id_of(node))
        return [each for each in self.nodes if self.id_of(each) in "\n".join(map(_text, found))]

    def id_of(self, node: LogServer) -> str:
        return _text(self._run(node, "CLUSTER", "MYID"))

    def begin_move(self, key: str, to: LogServer) -> None:
        """Begin to move a key's slot: from now on, keys that are not there are asked of `to`."""
        source, slot = self.master_of(key), key_slot(key.encode())
        self._run(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", self.id_of(source))
        self._run(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", self.id_of(to))

    def move_keys(self, key: str, to: LogServer, *, most: int = 1000) -> int:
        """Move at most so many keys of a slot that is being moved; return how many these were."""
        source, slot = self.master_of(key), key_slot(key.encode())
        keys = self._run(source, "CLUSTER", "GETKEYSINSLOT", slot, most)
        if keys:
            self._run(source, "MIGRATE", HOST, to.port, "", 0, MIGRATE_MS, "KEYS", *keys)
        return len(keys)

    def end_move(self, key: str, to: LogServer) -> None:
        """Give the slot of a key to a node, which has all its keys."""
        slot, node_id = key_slot(key.encode()), self.id_of(to)
        self._run(to, "CLUSTER", "SETSLOT", slot, "NODE", node_id)
        for node in self.nodes:
            with suppress(RedisError):  # replicas need not know, and one may be down
                self._run(node, "CLUSTER", "SETSLOT", slot, "NODE", node_id)

    def repair(self, key: str) -> bool:
        """Complete the move of a slot that ended in the middle; return whether it is complete.

        If no other node has keys of the slot, it stays where it is.
        """
        slot, holder = key_slot(key.encode()), self.master_of(key)
        others = [node for node in self.masters() if node is not holder]
        others = [n for n in others if self._run(n, "CLUSTER", "COUNTKEYSINSLOT", slot)]
        if others:
            [target] = others
            self.begin_move(key, target)
            while self.move_keys(key, target):
                pass
            self.end_move(key, target)
        for node in self.masters():
            self._run(node, "CLUSTER", "SETSLOT", slot, "STABLE")
        return True

    def move(self, key: str, to: LogServer) -> None:
        """Move a key's slot from the node that holds it to another one."""
        self.begin_move(key, to)
        while self.move_keys(key, to):
            pass
        self.end_move(key, to)

    def spread_replicas(self) -> None:
        """Give each master as many replicas as the others, with all nodes running.

        A master that comes back becomes a replica of whoever got its last slot.
        """
        found = {node.port: self.replicas_of(node) for node in self.masters()}
        for node in self.masters():
            most = max(found, key=lambda port: len(found[port]))
            if len(found[node.port]) < len(found[most]) - 1 or not found[node.port]:
                self._run(found[most].pop(), "CLUSTER", "REPLICATE", self.id_of(node))

    def is_whole(self) -> bool:
        """Return whether every node runs, knows the same masters, and has its data."""
        with suppress(RedisError):
            return len({self._view(node) for node in self.nodes}) == 1 and all(
                self._role(node) == b"master" or self._is_attached(node) for node in self.nodes
            )
        return False

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()

    def _add(self) -> LogServer:
        port, bus = free_port(), free_port()
        node = LogServer(
            self._binary,
            self._directory / f"node-{port}",
            port=port,
            options=(
                *("--cluster-enabled", "yes", "--cluster-port", str(bus)),
                *("--cluster-announce-ip", HOST),
                *("--cluster-node-timeout", str(self._down_after)),
                *("--cluster-replica-validity-factor", "0"),
                # A master that has lost its last slot stays one.
                *("--cluster-allow-replica-migration", "no"),
                *("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1"),
            ),
        )
        node.start()
        self.nodes.append(node)
        self._bus[port] = bus
        return node

    def _all_know_all(self) -> bool:
        return all(
            int(self._about(node)["cluster_known_nodes"]) == len(self.nodes)
            and self._about(node)["cluster_state"] == "ok"
            for node in self.nodes
        )

    def _ranges(self) -> list[tuple[range, int]]:
        """Return the slots of each master, and its port, as the newest view says."""
        newest = max(
            (int(self._about(node)["cluster_current_epoch"]), number)
            for number, node in enumerate(self.nodes)
            if self._answers(node)
        )
        slots = self._run(self.nodes[newest[1]], "CLUSTER", "SLOTS")
        return [(range(first, last + 1), master[1]) for first, last, master, *_ in slots]

    def _view(self, node: LogServer) -> object:
        about = self._about(node)
        slots = self._run(node, "CLUSTER", "SLOTS")
        masters = tuple(sorted((first, last, master[1]) for first, last, master, *_ in slots))
        replicas = frozenset(replica[1] for _, _, _, *all_ in slots for replica in all_)
        return about["cluster_state"], about["cluster_current_epoch"], masters, replicas

    def _answers(self, node: LogServer) -> bool:
        with suppress(RedisError):
            return bool(self._run(node, "PING", seconds=ANSWER_SECONDS))
        return False

    def _role(self, node: LogServer) -> bytes:
        return bytes(self._run(node, "ROLE")[0])

    def _is_attached(self, node: LogServer) -> bool:
        return bool(self._run(node, "ROLE")[3] == b"connected")

    def _about(self, node: LogServer) -> dict[str, str]:
        return dict(self._run(node, "CLUSTER INFO"))

    def _run(
        self, node: LogServer, *command: str | int | bytes, seconds: float = MIGRATE_MS / 1000
    ) -> Any:
        with Redis.from_url(
            node.url, socket_timeout=seconds, retry=Retry(NoBackoff(), 0)
        ) as client:
            return client.execute_command(*command)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


@contextmanager
def cluster(
    *, masters: int = 3, replicas: int = 0, spare: int = 0, down_after: int = 1000
) -> Iterator[Cluster]:
    """Run a cluster for the block."""
    # Not pytest's own temporary directories: their paths can be too long for a socket.
    with TemporaryDirectory(prefix="cave-") as directory:
        running = Cluster(
            Path(directory), masters=masters, replicas=replicas, spare=spare, down_after=down_after
        )
        try:
            yield running
        finally:
            running.stop()
