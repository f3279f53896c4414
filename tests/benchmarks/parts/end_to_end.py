"""The time to publish a fixed number of points on both cores until the last one can be read."""

from __future__ import annotations

import time

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench, Invalid
from tests.benchmarks.contestants import DATABASES
from tests.benchmarks.contestants.base import Database
from tests.benchmarks.points import point
from tests.benchmarks.prepared import requests
from tests.benchmarks.pusher import push

PART = "end-to-end"
SIZES = (100, 1000, 10_000)
TOTAL, QUICK_TOTAL = 2_000_000, 300_000
FIRST_POINTS = 100_000
"""Published before the measurement, to warm up and to measure the log before it is truncated."""

CONNECTIONS = 32
REST_SECONDS = 10
"""Before memory is measured: until then, contestants merge what they have just written."""

MEBIBYTE = 1 << 20


def run(bench: Bench) -> None:
    total = bench.settings.total or (QUICK_TOTAL if bench.settings.quick else TOTAL)
    sizes = (1000,) if bench.settings.quick else SIZES
    for size in sizes:
        for number, contestant in bench.interleaved(DATABASES):
            with (
                bench.measuring(
                    PART, contestant.name, size=size, connections=CONNECTIONS, number=number
                ) as figures,
                bench.started(contestant, bench.cores.both) as server,
            ):
                assert isinstance(server, Database)
                _measure(server, size, total, figures)


def _measure(server: Database, size: int, total: int, figures: dict[str, float]) -> None:
    before = server.log_bytes()
    first = FIRST_POINTS // size
    push(server.port, requests(server.head, server.form, size, first), connections=CONNECTIONS)
    after = server.log_bytes()
    if before is not None and after is not None:
        figures[goals.LOG_BYTES] = (after - before) / (first * size)
    server.ask_headers()  # CAVE issues its read token here, before the measurement
    count = total // size
    prepared = list(requests(server.head, server.form, size, count, first * size))
    last = (first + count) * size
    began = time.perf_counter()
    pushed = push(server.port, prepared, connections=CONNECTIONS)
    server.wait_until_readable(point(last - 1), pushed)
    seconds = time.perf_counter() - began
    if (found := server.count()) != last:
        raise Invalid(f"of {last} points {found} can be read")
    figures[goals.POINTS] = count * size / seconds
    figures["accepted points/s"] = count * size / pushed.seconds
    time.sleep(REST_SECONDS)
    weighed = server.memory()
    figures["MB after a rest"] = sum(weighed.values()) / MEBIBYTE
    if len(weighed) > 1:
        figures |= {f"MB of the {kind}": size / MEBIBYTE for kind, size in weighed.items()}
    figures["disk B/point"] = server.stopped_disk_bytes() / last
