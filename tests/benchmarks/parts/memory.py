"""The growth of a worker's memory while every point starts a new series."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants.base import Server
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.prepared import requests
from tests.benchmarks.processes import memory
from tests.benchmarks.pusher import push
from tests.benchmarks.results import Measurement

PART = "memory"
SIZE = 1000
CONNECTIONS = 8
SAMPLES = 20
WORKER = "worker"
MEBIBYTE = 1 << 20


def run(bench: Bench) -> None:
    [*cave] = bench.present([Cave()])
    for contestant in cave:
        with bench.started(contestant, bench.cores.both) as server:
            _measure(bench, server, contestant.name)


def _measure(bench: Bench, server: Server, name: str) -> None:
    seconds, rate = bench.settings.memory_seconds, bench.settings.rate / SIZE
    sampler = _Sampler(bench, server, name, seconds / SAMPLES)
    sampler.start()
    try:
        bodies = _until(time.monotonic() + seconds, server)
        pushed = push(server.port, bodies, connections=CONNECTIONS, rate=rate)
    finally:
        sampler.stop()
    workers = sampler.workers
    half, end = workers[len(workers) // 2], workers[-1]
    with bench.measuring(PART, name) as figures:
        figures[goals.WORKER_GROWTH] = end / half
    bench.note(
        f"Over {pushed.requests * SIZE:,} distinct series in {pushed.seconds:.0f} s the worker had "
        f"{workers[0]:.1f} MB at the start, {half:.1f} MB half-way and {end:.1f} MB at the end."
    )


def _until(deadline: float, server: Server) -> Iterator[bytes]:
    number = 0
    while time.monotonic() < deadline:
        yield from requests(server.head, server.form, SIZE, 1, number * SIZE, ever_new=True)
        number += 1


class _Sampler(threading.Thread):
    """Measures the processes' memory at intervals, and a last time when stopped."""

    def __init__(self, bench: Bench, server: Server, name: str, interval: float) -> None:
        super().__init__()
        self.workers: list[float] = []
        self._bench = bench
        self._server = server
        self._contestant = name
        self._interval = interval
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(self._interval):
            self._sample()
        self._sample()

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _sample(self) -> None:
        weighed = memory(self._server.process.pid)
        figures = {f"{kind} MB": size / MEBIBYTE for kind, size in weighed.items()}
        figures["million points"] = (self._server.accepted() or 0) / 1e6
        self._bench.record(
            Measurement(
                part=PART,
                contestant=self._contestant,
                size=SIZE,
                connections=CONNECTIONS,
                round=len(self.workers),
                figures=figures,
            )
        )
        self.workers.append(weighed.get(WORKER, 0) / MEBIBYTE)
