"""Progress of long work on standard error: a bar on a terminal, plain lines elsewhere.

Standard output is left to the command's result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_SECONDS = 1.0
SILENT_SECONDS = 10.0

Advance = Callable[[int, int | None, int], None]
"""Takes the steps done, the total of steps (None: unknown), and the points so far."""


@contextmanager
def shown_progress(what: str, unit: str) -> Iterator[Advance]:
    """Yield a function that shows progress when called; `unit` is the plural name of a step."""
    if sys.stderr.isatty():
        with _bar(what, unit) as advance:
            yield advance
    else:
        yield _Lines(what, unit).advance


def points_per_second(points: int, seconds: float) -> str:
    """Return a rate as text; it is unknown if no time has passed."""
    return f"{points / seconds:,.0f} points/s" if seconds > 0 else "- points/s"


class _Lines:
    """Prints a line per tenth of the work and per ten seconds of silence, at most one per second.

    Work of unknown length has no tenths.
    """

    def __init__(self, what: str, unit: str) -> None:
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
        rate = points_per_second(points, now - self._began)
        click.echo(f"{self._what}: {steps}, {points:,} points, {rate}", err=True)


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Advance]:
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        _Counts(unit),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        transient=True,
    )
    with progress:
        task = progress.add_task(what, total=None, points=0)

        def advance(done: int, total: int | None, points: int) -> None:
            # A total of 0 would look like work of unknown length.
            if total == 0:
                done = total = 1
            progress.update(task, completed=done, total=total, points=points)

        yield advance


class _Counts(ProgressColumn):
    """Steps, and points per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        rate = points_per_second(task.fields["points"], task.elapsed or 0.0)
        of_total = f" of {task.total:,.0f}" if task.total is not None else ""
        return Text(f"{task.completed:,.0f}{of_total} {self._unit}, {rate}", style="dim")
