"""Latencies at half of a contestant's maximum rate, on one core."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants import PUBLISHING
from tests.benchmarks.parts.publish import Firing

PART = "latency"
SIZES = (1, 100, 1000)


def run(bench: Bench) -> None:
    connections = max(bench.settings.connections)
    for size in SIZES:
        for number, contestant in bench.interleaved(PUBLISHING):
            with (
                bench.measuring(
                    PART, contestant.name, size=size, connections=connections, number=number
                ) as figures,
                bench.started(contestant, bench.cores.server) as server,
                TemporaryDirectory(prefix="cave-bench-") as directory,
            ):
                firing = Firing(bench, server, Path(directory), size)
                most = firing.at(connections).rate
                measured = firing.at(connections, rate=most / 2)
                figures[goals.REQUESTS] = measured.rate
                figures["of the most"] = measured.rate / most
                figures["p50 ms"] = measured.p50 / 1000
                figures["p90 ms"] = measured.p90 / 1000
                figures["p99 ms"] = measured.p99 / 1000
                figures["p99.9 ms"] = measured.p999 / 1000
                figures["longest ms"] = measured.max / 1000
