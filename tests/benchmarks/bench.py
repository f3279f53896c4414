"""One run: its settings and its measurements so far."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from msgspec import Struct

from tests.benchmarks.contestants.base import AnswerRefused, Contestant, Place, Server
from tests.benchmarks.load import LoadFailed
from tests.benchmarks.processes import NotRunning
from tests.benchmarks.pusher import PushRefused
from tests.benchmarks.results import Measurement

FAILURES = (AnswerRefused, LoadFailed, NotRunning, PushRefused, OSError)

_C = TypeVar("_C", bound=Contestant)


class Settings(Struct, frozen=True, kw_only=True):
    """The extent of a run. `seconds` is the length of a round; `total` replaces that of each part.

    `rate` is in points per second, for the memory part; `only` names contestants, empty for all.
    `expressions` is a file of them for the PromQL part; `series` is how many that part has, or the
    one with very many of them.
    """

    quick: bool = False
    rounds: int = 5
    seconds: int = 10
    warm_up: int = 2
    sizes: Sequence[int] = (1, 10, 100, 1000, 10_000)
    connections: Sequence[int] = (32, 128)
    total: int | None = None
    rate: int = 20_000
    memory_seconds: int = 3600
    go_procs: int = 1
    only: Sequence[str] = ()
    expressions: str | None = None
    series: int | None = None


QUICK = Settings(
    quick=True,
    rounds=3,
    seconds=2,
    warm_up=1,
    sizes=(1, 100, 1000),
    connections=(32,),
    rate=50_000,
    memory_seconds=60,
)


class Cores(Struct, frozen=True):
    """Two cores, as numbers: one for a contestant, one for the load."""

    server: Sequence[int]
    load: Sequence[int]

    @property
    def both(self) -> Sequence[int]:
        return (*self.server, *self.load)

    @classmethod
    def here(cls) -> Cores:
        """Return the first two cores of this process, or its only one twice."""
        available = sorted(os.sched_getaffinity(0))
        return cls(available[:1], available[1:2] or available[:1])


class Invalid(Exception):
    """A round is invalid; the message says why."""


class Bench:
    """Collects measurements, and prints each to standard error."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cores = Cores.here()
        self.measurements: list[Measurement] = []
        self.notes: list[str] = []

    def present(self, contestants: Sequence[_C]) -> list[_C]:
        """Return the contestants that are installed and chosen."""
        only = self.settings.only
        return [
            contestant
            for contestant in contestants
            if contestant.missing() is None and (not only or contestant.name in only)
        ]

    def interleaved(self, contestants: Sequence[_C]) -> Iterator[tuple[int, _C]]:
        """Yield every present contestant once per round, each round starting with another one."""
        present = self.present(contestants)
        for number in range(self.settings.rounds):
            shift = number % max(1, len(present))
            for contestant in (*present[shift:], *present[:shift]):
                yield number, contestant

    @contextmanager
    def started(
        self, contestant: Contestant, cores: Sequence[int], *, workers: int = 1
    ) -> Iterator[Server]:
        """Run a contestant on a new directory, after earlier writes have reached the disk."""
        os.sync()
        with TemporaryDirectory(prefix="cave-bench-", ignore_cleanup_errors=True) as directory:
            place = Place(Path(directory), cores, go_procs=self.settings.go_procs, workers=workers)
            with contestant.running(place) as server:
                yield server

    @contextmanager
    def measuring(
        self, part: str, contestant: str, *, size: int = 0, connections: int = 0, number: int = 0
    ) -> Iterator[dict[str, float]]:
        """Record the figures put into the yielded dict; record a failure as a fault."""
        figures: dict[str, float] = {}
        fault: str | None = None
        try:
            yield figures
        except Invalid as invalid:
            fault = str(invalid)
        except FAILURES as failure:
            fault = f"{type(failure).__name__}: {failure}"
        self.record(
            Measurement(
                part=part,
                contestant=contestant,
                size=size,
                connections=connections,
                round=number,
                figures=figures,
                fault=fault,
            )
        )

    def record(self, measured: Measurement) -> None:
        """Keep a measurement."""
        self.measurements.append(measured)
        figures = ", ".join(f"{value:,.4g} {name}" for name, value in measured.figures.items())
        place = f"{measured.size} points, {measured.connections} connections, " * bool(
            measured.size
        )
        self.say(
            f"{measured.part}: {measured.contestant}, {place}round {measured.round + 1}: "
            f"{measured.fault or figures}"
        )

    def note(self, text: str) -> None:
        """Keep a sentence for the report."""
        self.notes.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """Print progress to standard error."""
        print(text, file=sys.stderr, flush=True)
