"""A log server with two replicas, and three Sentinels that promote one of them."""

from __future__ import annotations

import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from adapters.embedded_valkey.command_line import binary
from entrypoints.demo.processes import POLL_SECONDS, running_server
from entrypoints.demo.service import without_settings
from entrypoints.errors import CommandFailed

LOOPBACK = "127.0.0.1"
SERVICE = "cave-log"
REPLICAS = 2
SENTINELS = 3
DOWN_AFTER_MS = 1000
PROMOTION_SECONDS = 60.0
ANSWER_SECONDS = 2.0


class LogServers:
    """The servers, all running; see `running_log_servers`. They have one password."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self._directory = directory
        self._stack = stack
        self._password = secrets.token_urlsafe(24)
        self._ports = [free_port() for _ in range(1 + REPLICAS)]
        self._sentinels = [free_port() for _ in range(SENTINELS)]
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        first, *others = self._ports
        self._start(first, None)
        for port in others:
            self._start(port, first)
        for port in others:
            self._wait(f"replica :{port} is not attached", partial(self._follows, port))
        for port in self._sentinels:
            self._start_sentinel(port)
        for port in self._sentinels:
            self._wait(f"Sentinel :{port} is alone", partial(self._knows_all, port))

    @property
    def url(self) -> str:
        """The URL for `--redis-url`; it has the password."""
        places = ",".join(f"{LOOPBACK}:{port}" for port in self._sentinels)
        return f"redis+sentinel://:{self._password}@{places}/{SERVICE}"

    def primary(self) -> int:
        """Return the port of the server that most Sentinels name, 0 if they disagree."""
        named = [self._named(port) for port in self._sentinels]
        most = max(named, key=named.count)
        return most if named.count(most) > len(named) // 2 else 0

    def replicas(self) -> list[int]:
        """Return the ports of the other servers."""
        primary = self.primary()
        return [port for port in self._ports if port != primary]

    def kill(self, port: int) -> None:
        """End a server with SIGKILL."""
        self._running[port].kill()
        self._running[port].wait()

    def restart(self, port: int) -> None:
        """Start a server again, and wait until it follows the present primary.

        Sentinels would tell it so themselves, after some ten seconds.
        """
        self._start(port, self.primary())
        self._wait(f"server :{port} is no replica", partial(self._follows, port))

    def wait_for_another_primary(self, former: int) -> int:
        """Return the port of the server that was promoted in place of another."""
        self._wait("no replica was promoted", lambda: self._leads(self.primary(), former))
        return self.primary()

    def version(self) -> str:
        with self._client(self._ports[0]) as client:
            said: dict[str, Any] = client.info("server")
        name = said.get("server_name", "redis").capitalize()
        return f"{name} {said.get(f'{name.lower()}_version', said['redis_version'])}"

    def _start(self, port: int, upstream: int | None) -> None:
        """Start a server, as a replica of `upstream` unless that is None."""
        home = self._directory / f"log-{port}"
        home.mkdir(exist_ok=True)
        settings = [
            f"port {port}",
            f"bind {LOOPBACK}",
            f"dir {home}",
            "appendonly yes",
            "appendfsync always",
            "no-appendfsync-on-rewrite no",
            'save ""',
            "maxmemory-policy noeviction",
            "min-replicas-to-write 1",
            "repl-diskless-sync-delay 0",
            f"requirepass {self._password}",
            f"masterauth {self._password}",
        ]
        if upstream is not None:
            settings.append(f"replicaof {LOOPBACK} {upstream}")
        _write_secret(home / "server.conf", settings)
        self._running[port] = self._stack.enter_context(
            running_server(
                f"log-{port}",
                [binary(), home / "server.conf"],
                self._directory,
                lambda: self._answer(port, lambda client: client.ping()),
                environment=without_settings(),
            )
        )

    def _start_sentinel(self, port: int) -> None:
        home = self._directory / f"sentinel-{port}"
        home.mkdir()
        settings = [
            f"port {port}",
            f"bind {LOOPBACK}",
            f"dir {home}",
            f"sentinel monitor {SERVICE} {LOOPBACK} {self._ports[0]} {SENTINELS // 2 + 1}",
            f"sentinel auth-pass {SERVICE} {self._password}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} 5000",
        ]
        _write_secret(home / "sentinel.conf", settings)
        self._stack.enter_context(
            running_server(
                f"sentinel-{port}",
                [binary(), home / "sentinel.conf", "--sentinel"],
                self._directory,
                lambda: self._named(port),
                environment=without_settings(),
            )
        )

    def _follows(self, port: int) -> bool:
        said = self._answer(port, lambda client: client.info("replication"))
        return bool(said and said.get("master_link_status") == "up")

    def _leads(self, port: int, former: int) -> bool:
        if port in (0, former):
            return False
        said = self._answer(port, lambda client: client.info("replication"))
        return bool(said and said["role"] == "master")

    def _knows_all(self, port: int) -> bool:
        def ask(sentinel: Redis) -> Any:
            return sentinel.sentinel_master(SERVICE)

        state = self._ask_sentinel(port, ask)
        return bool(
            state
            and state["num-slaves"] == REPLICAS
            and state["num-other-sentinels"] == SENTINELS - 1
        )

    def _named(self, port: int) -> int:
        def ask(sentinel: Redis) -> Any:
            return sentinel.sentinel_get_master_addr_by_name(SERVICE)

        named = self._ask_sentinel(port, ask)
        return int(named[1]) if named else 0

    def _answer(self, port: int, ask: Callable[[Redis], Any]) -> Any:
        """Return a server's answer, None if it gives none."""
        with self._client(port) as client:
            try:
                return ask(client)
            except RedisError:
                return None

    def _client(self, port: int) -> Redis:
        return _client(port, self._password)

    def _ask_sentinel(self, port: int, ask: Callable[[Redis], Any]) -> Any:
        with _client(port, None) as client:
            try:
                return ask(client)
            except RedisError:
                return None

    def _wait(self, failure: str, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PROMOTION_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise CommandFailed(f"{failure} after {PROMOTION_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)


@contextmanager
def running_log_servers(directory: Path) -> Iterator[LogServers]:
    """Run the servers for the block, with their data in the directory. Raises CommandFailed."""
    with ExitStack() as stack:
        yield LogServers(directory, stack)


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def _client(port: int, password: str | None) -> Redis:
    return Redis(
        LOOPBACK,
        port,
        password=password,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


def _write_secret(path: Path, lines: list[str]) -> None:
    path.touch(mode=0o600)
    path.write_text("\n".join(lines) + "\n")
