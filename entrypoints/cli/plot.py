"""`cave plot`: a chart of a metric in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from application.reading.plot_samples import PlotSamples
from application.reading.ports import Aggregation, Selection
from application.reading.query_values import AGGREGATORS, DEFAULT_LIMIT, MAX_LIMIT
from domain.organization import owner_name
from entrypoints.cli.chart import DRAWN, chart
from entrypoints.cli.options import example, on_the_projections, reads_copies, reads_from_to
from entrypoints.cli.output import iso_milliseconds
from entrypoints.cli.terminal import encodes
from entrypoints.cli.values import Period, Tags, WholeNumber

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools


@click.command(
    epilog=example(
        "cave plot gilt orders",
        "cave plot gilt http.latency --aggregator p99 --period 5m --tags env:production,host:a",
    )
)
@click.argument("organization")
@click.argument("metric")
@click.option("--team", help="Plot this team's points instead of the organization's own.")
@click.option(
    "--aggregator",
    type=click.Choice(AGGREGATORS),
    default="mean",
    show_default=True,
    help="How to aggregate the points of a period.",
)
@click.option(
    "--period",
    type=Period(),
    default="1m",
    show_default=True,
    help="The width of a bucket: a number of minutes, or a duration such as 30s, 5m, 1h, 1d, 1w.",
)
@click.option(
    "--tags",
    type=Tags(),
    help=r"Only points that have all of these tags: name:value,… In a value, write \, for a comma "
    r"and \\ for a backslash.",
)
@reads_from_to
@click.option(
    "--limit",
    type=WholeNumber(1, MAX_LIMIT),
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Plot at most this many buckets, the latest.",
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
    """Draw a chart of a metric in the terminal.

    All series that have the tags are aggregated together. Times are in UTC.
    """
    selection = Selection(
        organization=organization, team=team, metric=metric, tags=tags or {}, start=start, end=end
    )
    samples = tools.plot_samples(
        PlotSamples(
            selection=selection,
            aggregation=Aggregation(aggregator, period),
            limit=limit,
            label=label,
        )
    )
    named = owner_name(organization, team)
    if not samples:
        click.echo(f"{named} has no points of {metric} with these tags in this time range")
        return
    first, last = iso_milliseconds(samples[0].time), iso_milliseconds(samples[-1].time)
    click.echo(
        chart(
            [samples],
            period,
            f"{named} {metric}, {aggregator}, {_short(first)} to {_short(last)}",
            width=shutil.get_terminal_size().columns,
            colored=sys.stdout.isatty(),
            ascii_only=not encodes(DRAWN),
        )
    )


def _short(time: str) -> str:
    return time.removesuffix(".000Z").removesuffix(":00") + "Z"
