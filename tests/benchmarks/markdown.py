"""The report as sections of docs/benchmarks.md: `--markdown FILE`."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.report import Report, number
from tests.benchmarks.results import Cell, Spread, Verdict


def sections(report: Report) -> str:
    """Return a section per part: how it was measured, the figures, and the goals."""
    parts = dict.fromkeys(cell.part for cell in report.cells)
    return "\n".join(_section(report, part) for part in parts)


def _section(report: Report, part: str) -> str:
    cells = [cell for cell in report.cells if cell.part == part]
    verdicts = [verdict for verdict in report.verdicts if verdict.goal.part == part]
    machine = report.machine
    lines = [
        f"### {part}",
        "",
        f"{machine['date']}, `{machine['command']}`.",
        f"{machine['cores']} cores of {machine['processor']}, {machine['directory']}.",
        f"Load average before: {machine['load before']}.",
        f"Median of {report.settings.rounds} rounds, with the lowest and the highest.",
        *(f"{name}: {version}." for name, version in report.versions.items()),
        "",
        *_figures(cells),
    ]
    if verdicts:
        lines += ["", *_goals(verdicts)]
    return "\n".join(lines) + "\n"


def _figures(cells: Sequence[Cell]) -> list[str]:
    """Return the table. What is the same in all rows is left out."""
    sized = any(cell.size for cell in cells)
    names = dict.fromkeys(figure for cell in cells for figure in cell.figures)
    head = ["", *(["points per request"] if sized else []), *names]
    rows = [
        [
            cell.contestant,
            *([str(cell.size)] if sized else []),
            *(_spread(cell.figures.get(name)) for name in names),
        ]
        for cell in cells
    ]
    return _table(head, rows)


def _goals(verdicts: Sequence[Verdict]) -> list[str]:
    """Return the table of goals, those that are missed first."""
    rows = []
    for verdict in sorted(verdicts, key=lambda verdict: verdict.met):
        goal = verdict.goal
        size = f", {verdict.size} points" if verdict.size else ""
        of = f" of {goal.theirs}" if goal.theirs else ""
        sign = "at most" if goal.at_most else "at least"
        met = "" if verdict.met else ", missed"
        rows.append(
            [f"{goal.figure}{size}", _spread(verdict.ratio), f"{sign} {goal.factor:g}{of}{met}"]
        )
    return _table(["", "CAVE's figure or ratio", "goal"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _spread(spread: Spread | None) -> str:
    if spread is None:
        return ""
    if spread.rounds == 1:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.least)} to {number(spread.most)})"
