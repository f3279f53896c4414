"""Accepted requests per second, with all processes of a contestant on one core."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks import goals
from tests.benchmarks.bench import Bench, Invalid
from tests.benchmarks.contestants import PUBLISHING
from tests.benchmarks.contestants.base import Server
from tests.benchmarks.load import Load, load
from tests.benchmarks.prepared import write_requests

PART = "publish"
MEBIBYTE = 1 << 20


def run(bench: Bench) -> None:
    for connections in bench.settings.connections:
        for size in bench.settings.sizes:
            for number, contestant in bench.interleaved(PUBLISHING):
                with (
                    bench.measuring(
                        PART,
                        contestant.name,
                        size=size,
                        connections=connections,
                        number=number,
                    ) as figures,
                    bench.started(contestant, bench.cores.server) as server,
                    TemporaryDirectory(prefix="cave-bench-") as directory,
                ):
                    measured = Firing(bench, server, Path(directory), size).at(connections)
                    figures[goals.REQUESTS] = measured.rate
                    figures[goals.POINTS] = measured.rate * size
                    figures["p50 ms"] = measured.p50 / 1000
                    figures["p99 ms"] = measured.p99 / 1000
                    figures["MB at the end"] = sum(server.memory().values()) / MEBIBYTE


class Firing:
    """Requests of one size for one server, prepared as a file; the first round warms up."""

    def __init__(self, bench: Bench, server: Server, directory: Path, size: int) -> None:
        self._settings = bench.settings
        self._cores = bench.cores.load
        self._server = server
        self._size = size
        self._requests = directory / "requests"
        write_requests(self._requests, server.head, server.form, size)
        self._warm = False

    def at(self, connections: int, rate: float = 0.0, cores: Sequence[int] | None = None) -> Load:
        """Measure a round. Raises LoadFailed, and Invalid unless every point was accepted."""
        cores = self._cores if cores is None else cores
        if not self._warm:
            self._warm = True
            self._fired(connections, self._settings.warm_up, 0.0, cores)
        before = self._server.accepted()
        measured = self._fired(connections, self._settings.seconds, rate, cores)
        after = self._server.accepted()
        if (fault := measured.fault()) is not None:
            raise Invalid(fault)
        if before is not None and after is not None:
            taken, sent = after - before, measured.requests * self._size
            if taken < sent:
                raise Invalid(f"{sent} points were acknowledged, but only {taken} accepted")
        return measured

    def _fired(self, connections: int, seconds: int, rate: float, cores: Sequence[int]) -> Load:
        return load(
            self._server.port,
            self._requests,
            connections=connections,
            seconds=seconds,
            cores=cores,
            rate=rate,
        )
