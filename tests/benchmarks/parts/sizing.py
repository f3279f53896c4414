"""What points cost a host and the servers behind it: processor time, bytes, memory, connections.

One worker and one projector work on a primary with a replica and three Sentinels. Acknowledgements
do not wait for the replica: on a machine that is too busy, it would be too late.

The figures are amounts, not speeds. Of them, only processor time depends on what else the machine
does.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from redis import Redis

from adapters.redis_streams.metrics.keys import MetricKeys
from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants.base import Place
from tests.benchmarks.contestants.cave import COMMAND, ORGANIZATION, PATH, CaveServer, run_cave
from tests.benchmarks.formats import CAVE
from tests.benchmarks.points import point
from tests.benchmarks.prepared import requests
from tests.benchmarks.processes import (
    connections,
    memory,
    processor_times,
    running,
    size_of,
    wait_for,
    wait_for_line,
)
from tests.benchmarks.pusher import push
from tests.replicas import ReplicaSet, Sentinels, watched_replica_set

PART = "sizing"
LOAD = 32
"""Connections of the load."""

WARM_UP = 1_000
"""Requests before those that are measured."""

MOST_REQUESTS = 20_000
TOTAL, QUICK_TOTAL = 4_000_000, 1_000_000
WATCH_EVERY = 0.05
STRACE_SECONDS = 30.0
MEBIBYTE = 1 << 20


def run(bench: Bench) -> None:
    for size in bench.settings.sizes:
        total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
        count = min(total // size, MOST_REQUESTS)
        with (
            watched_replica_set() as (servers, sentinels),
            _host(bench, sentinels.url) as host,
            bench.measuring(PART, "CAVE", size=size, connections=LOAD) as figures,
        ):
            figures.update(_measure(host, servers, sentinels, size, count))


@contextmanager
def _host(bench: Bench, url: str) -> Iterator[CaveServer]:
    """Run a service on the log server; its archive and its projections are in its directory."""
    with TemporaryDirectory(prefix="cave-bench-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        variables = {
            "CAVE_REDIS_URL": url,
            "CAVE_ARCHIVE": str(directory / "archive"),
        }
        data = directory / "data"
        command = [*COMMAND, "serve", "--port", "0", "--data-dir", str(data)]
        with running(command, bench.cores.both, directory, variables) as process:
            found = wait_for_line(process, directory, r"^CAVE serves http://[^:]+:(\d+) ")
            token = run_cave(
                "org", "create", ORGANIZATION, "--quiet", data=data, variables=variables
            )
            place, port = Place(directory, bench.cores.both), int(found[1])
            host = CaveServer(process, place, port, token, PATH, CAVE, variables)
            wait_for(process, directory, host.knows_its_token)
            yield host


def _measure(
    host: CaveServer,
    servers: ReplicaSet,
    sentinels: Sentinels,
    size: int,
    count: int,
) -> dict[str, float]:
    figures: dict[str, float] = {}
    warm, points = size * WARM_UP, size * count
    with Redis.from_url(servers.primary.url) as client:
        # First, compiled code is loaded and caches are filled.
        pushed = push(host.port, requests(host.head, CAVE, size, WARM_UP), connections=LOAD)
        host.wait_until_readable(point(warm - 1), pushed)
        watching = _Watching(host.process.pid, [servers.primary.port], sentinels.ports)
        before, log_before = _used(host, client), _traffic(client)
        watching.start()
        try:
            bodies = requests(host.head, CAVE, size, count, warm)
            pushed = push(host.port, bodies, connections=LOAD)
        finally:
            watching.stop()
        host.wait_until_readable(point(warm + points - 1), pushed)
        after, log_after = _used(host, client), _traffic(client)
        for name in ("worker", "projector", "log server"):
            figures[f"{name} µs/point"] = (after[name] - before[name]) / points / 1000
        for name, value in log_after.items():
            figures[f"{name} B/point"] = (value - log_before[name]) / points
        figures["log memory B/point"] = _stream_bytes(client) / (warm + points)
        host.cave("log", "archive", "--now")
        figures["archive B/point"] = size_of(host.directory / "archive" / "segments") / (
            warm + points
        )
        figures["Parquet B/point"] = _parquet_bytes(host.directory) / (warm + points)
        weighed = memory(host.process.pid)
        figures |= {f"{name} MB": amount / MEBIBYTE for name, amount in weighed.items()}
        figures.update(watching.most)
        if (fsyncs := _fsyncs(host, client, size)) is not None:
            figures["requests per fsync"] = fsyncs
    return figures


def _used(host: CaveServer, client: Redis) -> Mapping[str, int]:
    """Return the ns of processor time of each kind of process, and of the log server."""
    used = processor_times(host.process.pid)
    [log_server] = processor_times(_pid(client)).values()
    return {**Counter(used), "log server": log_server}


def _pid(client: Redis) -> int:
    said: Any = client.info("server")
    return int(said["process_id"])


def _traffic(client: Redis) -> Mapping[str, int]:
    """Return the bytes that the log server has received, sent, sent to replicas and written."""
    said: Any = client.info()
    return {
        "log in": said["total_net_input_bytes"],
        "log out": said["total_net_output_bytes"],
        "to the replica": said["total_net_repl_output_bytes"],
        "log file": said["aof_current_size"],
    }


def _stream_bytes(client: Redis) -> int:
    logs = client.scan_iter(MetricKeys("cave").log(0).replace("0", "*"))
    return sum(int(client.memory_usage(key, samples=0) or 0) for key in logs)


def _parquet_bytes(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.rglob("series-*/files/**/*.parquet"))


class _Watching(threading.Thread):
    """Counts connections at intervals; `most` has the largest numbers."""

    def __init__(self, pid: int, log: Sequence[int], sentinels: Sequence[int]) -> None:
        super().__init__()
        self.most: Counter[str] = Counter()
        self._pid = pid
        self._ports = {"to the log": log, "to Sentinels": sentinels}
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(WATCH_EVERY):
            for place, ports in self._ports.items():
                for name, number in connections(self._pid, ports).items():
                    self.most[f"{name} {place}"] = max(self.most[f"{name} {place}"], number)

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _fsyncs(host: CaveServer, client: Redis, size: int) -> float | None:
    """Return the requests that share an fsync of the log, None without strace."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    command = [strace, "-f", "-c", "-e", "trace=fsync,fdatasync", "-p", str(_pid(client))]
    counting = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    count = min(MOST_REQUESTS, 5_000)
    try:
        bodies = requests(host.head, CAVE, size, count)
        push(host.port, bodies, connections=LOAD)
    finally:
        counting.send_signal(signal.SIGINT)
        _, said = counting.communicate(timeout=STRACE_SECONDS)
    calls = [
        int(found)
        for found in re.findall(r"\s(\d+)\s+(?:\d+\s+)?f(?:data)?sync$", said, re.MULTILINE)
    ]
    return count / sum(calls) if calls else None
