"""One run: its settings, and what it has measured so far."""

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
    """How much is measured. `seconds` is a round's length; `total`, if given, replaces each part's.

    `rate` is points a second of the memory part; `only` names the contestants, empty for all.
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
    """A round that does not count, and why."""


class Bench:
    """Collects measurements, and tells of each on standard error."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.cores = Cores.here()
        self.measurements: list[Measurement] = []
        self.notes: list[str] = []

    def present(self, contestants: Sequence[_C]) -> list[_C]:
        """Return those that take part: installed, and chosen."""
        only = self.settings.only
        return [
            contestant
            for contestant in contestants
            if contestant.missing() is None and (not only or contestant.name in only)
        ]

    def interleaved(self, contestants: Sequence[_C]) -> Iterator[tuple[int, _C]]:
        """Yield every present contestant once a round, each round beginning with another one."""
        present = self.present(contestants)
        for number in range(self.settings.rounds):
            shift = number % max(1, len(present))
            for contestant in (*present[shift:], *present[:shift]):
                yield number, contestant

    @contextmanager
    def started(
        self, contestant: Contestant, cores: Sequence[int], *, workers: int = 1
    ) -> Iterator[Server]:
        """Run a contestant on a new directory, once what others wrote is on disk."""
        os.sync()
        with TemporaryDirectory(prefix="cave-bench-", ignore_cleanup_errors=True) as directory:
            place = Place(Path(directory), cores, go_procs=self.settings.go_procs, workers=workers)
            with contestant.running(place) as server:
                yield server

    @contextmanager
    def measuring(
        self, part: str, contestant: str, *, size: int = 0, connections: int = 0, number: int = 0
    ) -> Iterator[dict[str, float]]:
        """Record the figures put into the yielded dict; what fails is recorded as a fault."""
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
        told = ", ".join(f"{value:,.4g} {name}" for name, value in measured.figures.items())
        place = f"{measured.size} points, {measured.connections} connections, " * bool(
            measured.size
        )
        self.tell(
            f"{measured.part}: {measured.contestant}, {place}round {measured.round + 1}: "
            f"{measured.fault or told}"
        )

    def note(self, text: str) -> None:
        """Keep a sentence for the report."""
        self.notes.append(text)
        self.tell(text)

    def tell(self, text: str) -> None:
        """Say how far it is."""
        print(text, file=sys.stderr, flush=True)
