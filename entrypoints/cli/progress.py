"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere.

Standard output is left to the command's result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

LINE_SECONDS = 1.0
SILENT_SECONDS = 10.0

Advance = Callable[[int, int | None, int], None]
"""Takes the steps done, the total of steps (None: unknown), and the points so far."""


@contextmanager
def shown_progress(what: str, unit: str, amount: str | None = "points") -> Iterator[Advance]:
    """Yield a function that shows progress when called; `unit` is the plural name of a step.

    `amount` is the plural name of what is counted besides, None if there is no such thing: then
    the rate is that of the steps.
    """
    if sys.stderr.isatty():
        # Imported here, since Rich takes 5 MB of memory.
        from entrypoints.cli.progress_bar import bar

        with bar(what, unit, amount) as advance:
            yield advance
    else:
        yield _Lines(what, unit, amount).advance


def points_per_second(points: int, seconds: float) -> str:
    """Return a rate as text; it is unknown if no time has passed."""
    return per_second(points, "points", seconds)


def per_second(count: int, unit: str, seconds: float) -> str:
    """Return a rate of anything as text."""
    return f"{count / seconds:,.0f} {unit}/s" if seconds > 0 else f"- {unit}/s"


class _Lines:
    """Prints a line per tenth of the work and per ten seconds of silence, at most one per second.

    Work of unknown length has no tenths.
    """

    def __init__(self, what: str, unit: str, amount: str | None) -> None:
        self._amount = amount
        self._what = what
        self._unit = unit
        self._began = self._shown_at = time.monotonic()
        self._tenths = 0

    def advance(self, done: int, total: int | None, points: int) -> None:
        now = time.monotonic()
        tenths = 0 if total is None else done * 10 // total if total else 10
        silent = now - self._shown_at
        if silent < (LINE_SECONDS if tenths > self._tenths else SILENT_SECONDS):
            return
        self._shown_at, self._tenths = now, tenths
        if total is None:
            steps = f"{done:,} {self._unit}"
        else:
            share = done / total if total else 1.0
            steps = f"{share:4.0%}, {done:,} of {total:,} {self._unit}"
        if self._amount is None:
            rate = per_second(done, self._unit, now - self._began)
        else:
            rate = per_second(points, self._amount, now - self._began)
            steps += f", {points:,} {self._amount}"
        click.echo(f"{self._what}: {steps}, {rate}", err=True)
