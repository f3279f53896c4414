"""The report: caveats first, then the contestants, the measurements and the goals."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir

import psutil
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.benchmarks.bench import Settings
from tests.benchmarks.results import Cell, Measurement, Spread, Verdict

CAVEATS = (
    "Only ratios within one run count. Absolute numbers depend on this machine and on other work "
    "on it at the time, including that of a virtual machine's neighbours.",
    "One core: all processes of a contestant run on core 0, wrk with one thread on core 1, over "
    "loopback. A contestant that would benefit from a second core does not get it.",
    "Every round starts a contestant on an empty directory. It does not measure the contestant on "
    "much data, nor the work that it defers, such as merging and compacting.",
    "The contestants' guarantees differ. CAVE fsyncs and checks a token before it answers and "
    "keeps every point. InfluxDB fsyncs its log, and replaces a point of the same series and time. "
    "VictoriaMetrics keeps new points in memory for some seconds, and loses them in a crash. "
    "Neither checks credentials here.",
    "CAVE's projector, which makes points readable, also runs on core 0. Under "
    "full load it falls behind, which shows in the end-to-end part but not in publishing.",
    "Requests are prepared beforehand; wrk writes the times into them as it sends them, so that no "
    "body is sent twice. There are 2000 series, and a series' timestamps are 10 s apart.",
    "wrk waits for an answer before it sends the next request on a connection, so its latencies "
    "leave out the time that a request had to wait to be sent. At half load it sends on an even "
    "schedule, to the millisecond.",
    "In the end-to-end part, a client in Python on the same two cores sends the requests. Go "
    "contestants have GOMAXPROCS=1 as in all parts; --go-procs 2 lets them use the second core.",
)


class Report(Struct, frozen=True, kw_only=True):
    """A complete run, as written with --json."""

    caveats: Sequence[str]
    machine: Mapping[str, str]
    versions: Mapping[str, str]
    missing: Mapping[str, str]
    settings: Settings
    notes: Sequence[str]
    cells: Sequence[Cell]
    verdicts: Sequence[Verdict]
    measurements: Sequence[Measurement]


def machine() -> dict[str, str]:
    """Return a description of this run: when, how and on which machine."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            processor = line.partition(":")[2].strip()
            break
    return {
        "date": f"{datetime.now(UTC):%d %B %Y, %H:%M} UTC",
        "command": f"python -m tests.benchmarks {shlex.join(sys.argv[1:])}".strip(),
        "system": platform.platform(),
        "processor": processor,
        "cores": str(len(os.sched_getaffinity(0))),
        "directory": _file_system(),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def _file_system() -> str:
    """Return the contestants' directory and its file system: in memory an fsync is free."""
    directory = Path(gettempdir()).resolve()
    partitions = [
        p for p in psutil.disk_partitions(all=True) if directory.is_relative_to(p.mountpoint)
    ]
    found = max(partitions, key=lambda partition: len(partition.mountpoint))
    return f"{directory} on {found.fstype}"


def show(report: Report, console: Console) -> None:
    """Print a report."""
    console.print("[bold]Caveats[/]")
    for caveat in report.caveats:
        console.print(f"- {caveat}", highlight=False)
    console.print("\n[bold]Contestants[/]")
    for name, text in {**report.machine, **report.versions}.items():
        console.print(f"{name}: {escape(text)}", highlight=False)
    for name, why in report.missing.items():
        console.print(f"[yellow]{name} was not measured: {escape(why)}[/]", highlight=False)
    for part in dict.fromkeys(cell.part for cell in report.cells):
        console.print(_table(part, [cell for cell in report.cells if cell.part == part]))
    if report.verdicts:
        console.print(_goals(report.verdicts))
    for note in report.notes:
        console.print(note, highlight=False)


def _table(part: str, cells: Sequence[Cell]) -> Table:
    figures = dict.fromkeys(figure for cell in cells for figure in cell.figures)
    table = Table(
        title=f"{part}: median of the rounds, with the distance to the minimum and the maximum",
        title_justify="left",
    )
    table.add_column("contestant")
    table.add_column("points per request", justify="right")
    table.add_column("connections", justify="right")
    for figure in figures:
        table.add_column(figure, justify="right")
    table.add_column("invalid rounds")
    for cell in cells:
        spreads = [_spread(cell.figures.get(figure)) for figure in figures]
        size, connections = (str(n) if n else "" for n in (cell.size, cell.connections))
        table.add_row(cell.contestant, size, connections, *spreads, escape("; ".join(cell.faults)))
    return table


def _goals(verdicts: Sequence[Verdict]) -> Table:
    table = Table(
        title="goals: median and spread of the ratios of each round", title_justify="left"
    )
    for column in ("goal", "points per request", "connections", "reached", "met"):
        table.add_column(column)
    for verdict in verdicts:
        goal = verdict.goal
        size, connections = (str(n) if n else "" for n in (verdict.size, verdict.connections))
        sign = "≤" if goal.at_most else "≥"
        of = f" of {goal.theirs}" if goal.theirs else ""
        text = f"{goal.part}: {goal.ours}, {goal.figure} {sign} {goal.factor:g}{of}"
        met = "[green]yes[/]" if verdict.met else "[red]no[/]"
        table.add_row(text, size, connections, _spread(verdict.ratio), met)
    return table


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.rounds == 1 or not spread.median:
        return number(spread.median)
    down, up = (1 - spread.least / spread.median, spread.most / spread.median - 1)
    return f"{number(spread.median)} -{down:.0%} +{up:.0%}"


def number(value: float) -> str:
    """Return a figure with three digits, or as a whole number if that has more."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
