"""`cave plot`: a metric, drawn in the terminal."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from application.reading.ports import Aggregation, Selection
from application.reading.query_values import AGGREGATORS, DEFAULT_LIMIT, MAX_LIMIT
from domain.organization import check_team
from entrypoints.cli.chart import chart
from entrypoints.cli.options import example, on_the_projections, reads_copies, reads_from_to
from entrypoints.cli.output import iso_milliseconds
from entrypoints.cli.values import Period, Tags, WholeNumber
from entrypoints.errors import CommandFailed

if TYPE_CHECKING:
    from entrypoints.wiring import ProjectionTools


@click.command(
    epilog=example(
        "cave plot gilt orders",
        "cave plot gilt http.latency --aggregator p99 --period 5m --tags env:production,host:a",
    )
)
@click.argument("organization")
@click.argument("metric")
@click.option("--team", help="The points of this team; without it, the organization's own.")
@click.option(
    "--aggregator",
    type=click.Choice(AGGREGATORS),
    default="mean",
    show_default=True,
    help="What is made of the points of a period.",
)
@click.option(
    "--period",
    type=Period(),
    default="1m",
    show_default=True,
    help="The width of a bucket: whole minutes, or as in 30s, 5m, 1h, 1d.",
)
@click.option("--tags", type=Tags(), help="Only points with all of these: name:value,…")
@reads_from_to
@click.option(
    "--limit",
    type=WholeNumber(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="The latest so many buckets.",
)
@reads_copies
@on_the_projections
def plot(
    tools: ProjectionTools,
    organization: str,
    metric: str,
    team: str | None,
    aggregator: str,
    period: int,
    tags: Mapping[str, str] | None,
    start: int | None,
    end: int | None,
    limit: int,
    label: str | None,
) -> None:
    """Draw a metric, all of its series that have the tags taken together. Times are in UTC."""
    owner = tools.manage.look_ups.organization(organization)
    if team is not None:
        check_team(owner, team)
    named = organization if team is None else f"{organization}/{team}"
    if not tools.read_model.knows(organization, team, metric):
        raise CommandFailed(f"{named} has no metric {metric!r}")
    selection = Selection(
        organization=organization, team=team, metric=metric, tags=tags or {}, start=start, end=end
    )
    samples = tools.read_model.samples(
        selection, Aggregation(aggregator, period), limit, label=label
    )
    # A sum, say, may be too large for a number.
    samples = [sample for sample in samples if math.isfinite(sample.value)]
    if not samples:
        click.echo(f"{named} has no points of {metric} there: other tags or times may have some")
        return
    first, last = iso_milliseconds(samples[0].time), iso_milliseconds(samples[-1].time)
    click.echo(
        chart(
            samples,
            period,
            f"{named} {metric}, {aggregator}, {_short(first)} to {_short(last)}",
            width=shutil.get_terminal_size().columns,
            colored=sys.stdout.isatty(),
        )
    )


def _short(time: str) -> str:
    return time.removesuffix(".000Z").removesuffix(":00") + "Z"
