"""Publishing, and the time until what was published can be read, on cores that other work uses.

The projector yields to publishing and must still keep up. So both are measured: while other
processes keep both cores busy, and while the projector catches up after a pause.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil

from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants.base import Database, Server
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.parts.publish import Firing
from tests.benchmarks.points import point
from tests.benchmarks.prepared import requests
from tests.benchmarks.processes import pinned
from tests.benchmarks.pusher import push

PART = "busy"
SIZE = 100
RATE = 200
CONNECTIONS = 8
BACKLOG_RATE = 3000
BACKLOG_SECONDS = 5
PER_CORE = (0, 1, 4)
"""Other processes per core, none of which ever waits."""

PROBE_EVERY = 0.1
PROJECTOR = "entrypoints.processes.projector"


def run(bench: Bench) -> None:
    [*present] = bench.present([Cave()])
    for number in range(bench.settings.rounds):
        for contestant in present:
            for others in PER_CORE:
                name = f"{contestant.name}, {others} other processes per core"
                with (
                    bench.measuring(PART, name, size=SIZE, number=number) as figures,
                    bench.started(contestant, bench.cores.both) as server,
                    TemporaryDirectory(prefix="cave-bench-") as directory,
                ):
                    assert isinstance(server, Database)
                    firing = Firing(bench, server, Path(directory), SIZE)
                    server.ask_headers()
                    with other_work(others, bench.cores.both):
                        figures |= _measured("", firing, server, bench)
                        with paused(server):
                            firing.at(CONNECTIONS, BACKLOG_RATE, bench.cores.both)
                        figures |= _measured("catching up: ", firing, server, bench)


def _measured(prefix: str, firing: Firing, server: Database, bench: Bench) -> dict[str, float]:
    with probing(server) as seconds:
        load = firing.at(CONNECTIONS, RATE, bench.cores.both)
    return {
        f"{prefix}p50 ms": load.p50 / 1000,
        f"{prefix}p99 ms": load.p99 / 1000,
        f"{prefix}median s until readable": float(np.median(seconds)),
        f"{prefix}most s until readable": max(seconds),
    }


@contextmanager
def probing(server: Database) -> Iterator[Sequence[float]]:
    """Publish a point again and again; yield the seconds until each could be read."""
    ended = threading.Event()
    found: list[float] = []

    def probe() -> None:
        while not ended.wait(PROBE_EVERY) or not found:
            began = time.perf_counter()
            pushed = push(server.port, requests(server.head, server.form, 1, 1), connections=1)
            server.wait_until_readable(point(0), pushed)
            found.append(time.perf_counter() - began)

    thread = threading.Thread(target=probe)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


@contextmanager
def other_work(per_core: int, cores: Sequence[int]) -> Iterator[None]:
    """Keep each core busy with that many processes."""
    command = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for core in (*cores,) * per_core:
            process = stack.enter_context(subprocess.Popen(pinned(command, [core])))
            stack.callback(process.kill)
        yield


@contextmanager
def paused(server: Server) -> Iterator[None]:
    """Stop the projector for the block."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    (projector,) = [child for child in children if PROJECTOR in child.cmdline()]
    projector.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        projector.send_signal(signal.SIGCONT)
