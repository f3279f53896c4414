"""`cave query`: the value of a PromQL expression."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from application.clock import milliseconds
from application.reading.annotations import Annotations
from application.reading.ports import Sample
from application.reading.promql import (
    InstantResult,
    InstantVector,
    Matrix,
    MatrixSeries,
    Scalar,
    String,
)
from application.reading.promql_errors import BadData
from application.reading.query_promql import QueryPromql
from application.reading.series import NAME, Owner
from domain.organization import owner_name
from entrypoints.cli.chart import DRAWN, MARKS, chart
from entrypoints.cli.options import example, on_the_projections, prints_records, roots
from entrypoints.cli.output import iso_milliseconds, number, print_json, print_table
from entrypoints.cli.records import SampleRecord
from entrypoints.cli.terminal import encodes, printable
from entrypoints.cli.values import Period, Time

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools

STEPS = 120
"""Steps of a range without `--step`: more than a terminal can show."""

PLOTTED = 3_600_000
"""Milliseconds before the end that are plotted without `--start`."""


@click.command(
    epilog=example(
        "cave query gilt 'sum by (host) (rate(http_requests_total[5m]))'",
        "cave query gilt 'quantile_over_time(0.99, latency[1h])' --start 2026-11-01T00:00:00Z "
        "--step 1h",
        "cave query gilt 'avg by (host) (latency)' --plot",
    )
)
@click.argument("organization")
@click.argument("promql")
@click.option("--team", help="Ask about this team's series instead of the organization's own.")
@click.option(
    "--start",
    type=Time(),
    help="Evaluate from this time on, at every step: ISO 8601 with a zone, or seconds since the "
    "epoch. Without it, evaluate once.",
)
@click.option(
    "--end",
    type=Time(),
    help="The last time to evaluate at, or the only one, in the same formats; now by default.",
)
@click.option(
    "--step",
    type=Period(),
    help="The time between two steps: a number of minutes, or a duration such as 30s, 5m, 1h. By "
    f"default there are about {STEPS} steps.",
)
@click.option(
    "--plot",
    is_flag=True,
    help="Draw a chart in the terminal; without --start, of the last hour.",
)
@prints_records
@on_the_projections
def query(
    tools: ProjectionTools,
    organization: str,
    promql: str,
    team: str | None,
    start: int | None,
    end: int | None,
    step: int | None,
    plot: bool,  # noqa: FBT001  a flag
    as_json: bool,  # noqa: FBT001  a flag
) -> None:
    """Print the value of a PromQL expression, now or over a range of time.

    Prints a table with a column per label, or one JSON object per sample. Times are in UTC. An
    expression that begins with a minus is written after `--`. Warnings go to standard error.
    """
    if plot and as_json:
        raise click.UsageError("--plot and --json cannot be used together")
    end = milliseconds(roots().clock) if end is None else end
    if plot and start is None:
        start = max(0, end - PLOTTED)
    if start is None and step is not None:
        raise click.UsageError("--step needs --start")
    if start is not None and start > end:
        raise click.UsageError("--start is after --end")
    if start is not None and step is None:
        step = _step(end - start)
    owner, notes = Owner(organization, team), Annotations()
    try:
        found = tools.query_promql(
            QueryPromql(owner=owner, expression=promql, start=start, end=end, step=step or 0),
            notes,
        )
    except BadData as error:
        raise click.UsageError(str(error)) from error
    for text in (*notes.warnings, *notes.infos):
        click.echo(printable(text), err=True)
    if as_json:
        print_json(*_records(found))
    elif not plot:
        _print(list(_records(found)), timed=isinstance(found, Matrix))
    elif isinstance(found, Matrix) and step is not None:
        _draw(found.series, step, f"{owner_name(organization, team)} {printable(promql)}")


def _step(span: int) -> int:
    """Return the whole seconds, in ms, that divide a range into some STEPS steps."""
    return max(1, -(-span // (STEPS * 1000))) * 1000


def _records(found: InstantResult) -> Iterator[SampleRecord]:
    match found:
        case InstantVector():
            for sample in found.samples:
                yield SampleRecord.of(sample.labels, found.time, sample.value)
        case Matrix():
            for series in found.series:
                for time, value in zip(series.times, series.values, strict=True):
                    yield SampleRecord.of(series.labels, time, value)
        case Scalar() | String():
            yield SampleRecord.of({}, found.time, found.value)


def _print(records: Sequence[SampleRecord], *, timed: bool) -> None:
    """Print a table: the labels, the metric's name first, with `timed` the time, and the value."""
    if not records:
        click.echo("no series has a value")
        return
    names = sorted({name for record in records for name in record.labels})
    names.sort(key=lambda name: name != NAME)
    columns = ["metric" if name == NAME else name for name in names]
    rows = [
        [
            *(record.labels.get(name, "") for name in names),
            *([record.time] if timed else []),
            number(record.value),
        ]
        for record in records
    ]
    print_table([*columns, *(["time"] if timed else []), "value"], rows)


def _draw(found: Sequence[MatrixSeries], step: int, title: str) -> None:
    """Draw as many series as there are marks, and say which is which, and how many are not drawn.

    Values that are not finite cannot be drawn.
    """
    lines = []
    for series in found:
        pairs = zip(series.times, series.values, strict=True)
        samples = [Sample(time, value) for time, value in pairs if math.isfinite(value)]
        if samples:
            lines.append((series.labels, samples))
    drawn = lines[: len(MARKS)]
    if not drawn:
        click.echo("no series has a value that can be drawn")
        return
    first = min(samples[0].time for _, samples in drawn)
    last = max(samples[-1].time for _, samples in drawn)
    click.echo(
        chart(
            [samples for _, samples in drawn],
            step,
            f"{title}, {iso_milliseconds(first)} to {iso_milliseconds(last)}",
            width=shutil.get_terminal_size().columns,
            colored=sys.stdout.isatty(),
            ascii_only=not encodes(DRAWN),
        )
    )
    if len(lines) > 1:
        for mark, (labels, _) in zip(MARKS, drawn, strict=False):
            shown = ", ".join(f"{name}={value}" for name, value in labels.items()) or "no labels"
            click.echo(f"{mark}  {printable(shown)}")
    if len(lines) > len(drawn):
        click.echo(f"{len(lines) - len(drawn):,} more series are not drawn")
