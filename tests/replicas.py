"""Replicated log servers for tests: a primary, replicas, and Sentinels that watch them.

All of them are Valkey from its wheel, on ports of the loopback interface.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.servers import LogServer, free_port, valkey_binary
from tests.waiting import wait_until

SERVICE = "mymaster"
HOST = "127.0.0.1"

# Replicas attach at once, and notice a dead primary soon.
REPLICATING = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")


class Place(Struct, frozen=True):
    """Where a server runs: its address, and its network namespace or None."""

    host: str = HOST
    namespace: str | None = None


class ReplicaSet:
    """A primary and its replicas, all running; `primary` is the one that was it at the start."""

    def __init__(
        self,
        directory: Path,
        replicas: int,
        *,
        places: Sequence[Place] = (),
        options: Sequence[str] = (),
    ) -> None:
        self._directory = directory
        self._places = [*places, *[Place()] * (replicas + 1 - len(places))]
        self._options = options
        self.primary = self._server(0, ())
        upstream = ("--replicaof", f"{self.primary.host} {self.primary.port}")
        self.replicas = [self._server(n, upstream) for n in range(1, replicas + 1)]
        for server in self.replicas:
            wait_until(lambda server=server: is_attached(server))  # type: ignore[misc]

    @property
    def url(self) -> str:
        """The URL of the first primary itself."""
        return f"redis://{self.primary.host}:{self.primary.port}"

    @property
    def servers(self) -> Sequence[LogServer]:
        return [self.primary, *self.replicas]

    def stop(self) -> None:
        for server in self.servers:
            server.kill()

    def _server(self, number: int, options: Sequence[str]) -> LogServer:
        place = self._places[number]
        server = LogServer(
            valkey_binary(),
            self._directory / f"server-{number}",
            host=place.host,
            port=free_port(),
            options=(*REPLICATING, *self._options, *options),
            namespace=place.namespace,
        )
        server.start()
        return server


class Sentinels:
    """Sentinels that watch a replica set and promote a replica after `down_after` ms."""

    def __init__(
        self,
        directory: Path,
        watched: ReplicaSet,
        *,
        host: str = HOST,
        count: int = 3,
        down_after: int = 500,
    ) -> None:
        self.host = host
        self.ports = [free_port() for _ in range(count)]
        self._processes = []
        primary = watched.primary
        for port in self.ports:
            home = directory / f"sentinel-{port}"
            home.mkdir(parents=True)
            configuration = home / "sentinel.conf"
            configuration.write_text(
                f"port {port}\n"
                f"bind {host}\n"
                f"dir {home}\n"
                f"logfile {home / 'sentinel.log'}\n"
                f"sentinel monitor {SERVICE} {primary.host} {primary.port} {count // 2 + 1}\n"
                f"sentinel down-after-milliseconds {SERVICE} {down_after}\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            self._processes.append(
                subprocess.Popen(
                    [valkey_binary(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL
                )
            )
        wait_until(
            lambda: all(self._knows(port, count, len(watched.replicas)) for port in self.ports)
        )

    @property
    def url(self) -> str:
        """The URL of the service that they watch."""
        return (
            f"redis+sentinel://{','.join(f'{self.host}:{port}' for port in self.ports)}/{SERVICE}"
        )

    def primary_port(self) -> int | None:
        """Return the port of the primary that a majority names, None if they disagree."""
        named = [state["port"] for port in self.ports if (state := self._state(port))]
        most = max(set(named), key=named.count, default=None)
        return most if named.count(most) > len(self.ports) // 2 else None

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def pause(self, number: int) -> None:
        """Stall one of them: it accepts connections, and does not answer."""
        self._processes[number].send_signal(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self._processes[number].send_signal(signal.SIGCONT)

    def _knows(self, port: int, sentinels: int, replicas: int) -> bool:
        state = self._state(port)
        return bool(
            state
            and state["num-other-sentinels"] == sentinels - 1
            and state["num-slaves"] == replicas
        )

    def _state(self, port: int) -> dict[str, Any]:
        with Redis(self.host, port, retry=Retry(NoBackoff(), 0), socket_timeout=1) as client:
            try:
                return dict(client.sentinel_master(SERVICE))
            except RedisError:
                return {}


@contextmanager
def replica_set(replicas: int = 1) -> Iterator[ReplicaSet]:
    """Run a primary and its replicas for the block."""
    # Not pytest's own temporary directories: their paths can be too long for a socket.
    with TemporaryDirectory(prefix="cave-") as directory:
        running = ReplicaSet(Path(directory), replicas)
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def watched_replica_set(
    replicas: int = 1, *, sentinels: int = 3, down_after: int = 500
) -> Iterator[tuple[ReplicaSet, Sentinels]]:
    """Run a replica set and Sentinels for the block."""
    with ExitStack() as stack:
        servers = stack.enter_context(replica_set(replicas))
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="cave-")))
        watching = Sentinels(directory, servers, count=sentinels, down_after=down_after)
        stack.callback(watching.stop)
        yield servers, watching


def promote(server: LogServer) -> None:
    """Make a replica a primary, as Sentinel or a person would."""
    with Redis.from_url(server.url) as client:
        client.replicaof("NO", "ONE")


def is_attached(server: LogServer) -> bool:
    """Return whether a replica receives what its primary writes."""
    with Redis.from_url(server.url) as client:
        return bool(client.info("replication").get("master_link_status") == "up")
