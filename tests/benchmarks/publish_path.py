"""`python -m tests.benchmarks.publish_path`: a worker's own work per publish, in µs.

Requests are fed to the worker's protocol in one process, and a stand-in for the log server answers
at once. So there are no system calls, and no other process takes part: this compares versions of
the code on a machine whose throughput varies. The figure is the processor time per request of the
best round. `--profile` shows where it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, islice
from time import process_time_ns
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from adapters.eventsourcing.organizations import Organizations
from adapters.http.publish.endpoint import PublishEndpoint
from adapters.http.publish.plain_heads import PlainHeads
from adapters.http.publish.plain_publish import PlainPublish
from adapters.http.publish.protocol import PublishProtocol
from adapters.point_formats.formats import all_formats, shared_format
from adapters.redis_streams.metrics.keys import MetricKeys
from adapters.redis_streams.metrics.link import Link
from adapters.redis_streams.metrics.metric_log import MAX_WAITING, RedisMetricLog
from tests.benchmarks.formats import CAVE
from tests.benchmarks.prepared import requests
from tests.http.conftest import Service

ORGANIZATION = "bench"
MAX_BODY = 1 << 20
MAX_POINTS = 10_000
PARTITIONS = 16
APPEND = b"\r\nXADD\r\n"
REPLY = b"$15\r\n1735689600000-0\r\n"
ROUNDS = 12
POINTS_PER_ROUND = 20_000
REQUESTS_PER_ROUND = 2_000
DISTINCT = 40_000
"""Points of the requests that are sent in turn."""


class _Client:
    """The transport of one connection, which counts its answers."""

    def __init__(self, answered: Callable[[bytes], None]) -> None:
        self.write = answered

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, _name: str, default: Any = None) -> Any:
        return default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class _LogServer:
    """The transport to the log server: every append succeeds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.link: Any = None

    def write(self, data: bytes) -> None:
        self._loop.call_soon(self.link.data_received, REPLY * data.count(APPEND))


class Path:
    """A worker's publish path with `connections` connections."""

    def __init__(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        organizations = Organizations(env={"PERSISTENCE_MODULE": "eventsourcing.popo"})
        service = Service(organizations)
        service.register(ORGANIZATION)
        self.token = service.issue(ORGANIZATION, "publish")
        service.follower.catch_up()
        log = RedisMetricLog("redis://unused", MetricKeys("bench"), PARTITIONS)
        server = _LogServer(loop)
        link = server.link = Link(loop, MAX_WAITING, lambda _: None)
        link.connection_made(server)  # type: ignore[arg-type]
        log._connections[0].link = link  # type: ignore[attr-defined]
        use_cases = service.composed(log)
        self.formats = all_formats(MAX_POINTS)
        endpoint = PublishEndpoint(
            use_cases.access,
            use_cases.publish_metrics,
            self.formats,
            max_body=MAX_BODY,
            max_inflated=MAX_BODY,
            max_body_memory=1 << 30,
        )
        config = uvicorn.Config(
            lambda: None, factory=True, loop="none", lifespan="off", log_config=None
        )
        config.load()
        publish = PlainPublish(endpoint, use_cases.publish_together, shared_format(self.formats))
        heads = PlainHeads(MAX_BODY)
        self._left = 0
        self._done: asyncio.Future[None] = loop.create_future()
        self._protocols = []
        for _ in range(connections):
            protocol = PublishProtocol(
                heads,
                publish,
                service.queries_at_hand,
                config=config,
                server_state=ServerState(),
                app_state={},
                _loop=loop,
            )
            protocol.connection_made(_Client(self._answered))  # type: ignore[arg-type]
            self._protocols.append(protocol)

    def _answered(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 202"), data
        self._left -= 1
        if not self._left:
            self._done.set_result(None)

    async def send(self, sent: Iterator[bytes], count: int) -> None:
        """Send requests, one per connection at a time, and return when all are answered."""
        for _ in range(max(1, count // len(self._protocols))):
            self._left = len(self._protocols)
            self._done = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(self._arrive, sent)
            await self._done

    def _arrive(self, sent: Iterator[bytes]) -> None:
        for protocol in self._protocols:
            protocol.data_received(next(sent))


async def _measured(size: int, connections: int, profile: cProfile.Profile | None) -> float:
    path = Path(connections)
    path.formats["json"].scanner.load()  # type: ignore[attr-defined]
    head = (
        f"POST /organizations/{ORGANIZATION}/metrics HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
        f"Authorization: Bearer {path.token}\r\nContent-Type: application/json\r\nContent-Length: "
    ).encode()
    sent = cycle(list(requests(head, CAVE, size, max(1, DISTINCT // size))))
    count = max(connections, min(REQUESTS_PER_ROUND, POINTS_PER_ROUND // size))
    await path.send(sent, max(2 * count, DISTINCT // size))
    best = float("inf")
    for _ in range(ROUNDS):
        requested = islice(sent, count // connections * connections)
        if profile is not None:
            profile.enable()
        start = process_time_ns()
        await path.send(requested, count)
        used = process_time_ns() - start
        if profile is not None:
            profile.disable()
        best = min(best, used / 1000 / (count // connections * connections))
    return best


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args(given)
    for size in arguments.sizes:
        for connections in arguments.connections:
            profile = cProfile.Profile() if arguments.profile else None
            used = uvloop.run(_measured(size, connections, profile))
            print(f"{size:>6} points, {connections:>3} at once: {used:>8.1f} µs per request")
            if profile is not None:
                pstats.Stats(profile).sort_stats("tottime").print_stats(40)


if __name__ == "__main__":
    main()
