"""The gain of a second worker, if there are enough cores."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench
from tests.benchmarks.contestants.cave import Cave
from tests.benchmarks.parts.publish import Firing

PART = "workers"
SIZES = (1, 100, 1000)
CORES = 4
"""One for the log server, one per worker, one for the load."""


def run(bench: Bench) -> None:
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < CORES:
        bench.note(
            f"Two workers were not compared with one: that takes {CORES} cores (log server, two "
            f"workers, load), and this machine has {len(cores)}."
        )
        return
    connections = max(bench.settings.connections)
    server_cores, load_cores = cores[: CORES - 1], cores[CORES - 1 : CORES]
    for size in SIZES:
        for number, contestant in bench.interleaved((Cave(), Cave(goals.TWO_WORKERS, workers=2))):
            with (
                bench.measuring(
                    PART, contestant.name, size=size, connections=connections, number=number
                ) as figures,
                bench.started(contestant, server_cores) as server,
                TemporaryDirectory(prefix="cave-bench-") as directory,
            ):
                firing = Firing(bench, server, Path(directory), size)
                figures[goals.REQUESTS] = firing.at(connections, cores=load_cores).rate
