"""Progress of long work as a bar on a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

from entrypoints.cli.progress import Advance, per_second


@contextmanager
def bar(what: str, unit: str, amount: str | None) -> Iterator[Advance]:
    """Show a bar for the block; see `progress.shown_progress`."""
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        _Counts(unit, amount),
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
    """Steps, and a rate."""

    def __init__(self, unit: str, amount: str | None) -> None:
        super().__init__()
        self._unit = unit
        self._amount = amount

    def render(self, task: Task) -> Text:
        if self._amount is None:
            rate = per_second(int(task.completed), self._unit, task.elapsed or 0.0)
        else:
            rate = per_second(task.fields["points"], self._amount, task.elapsed or 0.0)
        of_total = f" of {task.total:,.0f}" if task.total is not None else ""
        return Text(f"{task.completed:,.0f}{of_total} {self._unit}, {rate}", style="dim")
