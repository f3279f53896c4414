"""`cave export`: an owner's points as a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from adapters.output_files import is_standard_output, is_terminal, written
from adapters.point_files import Format, point_writer
from application.reading.export_points import ExportPoints
from application.reading.ports import PointWriter
from entrypoints.cli.options import example, on_the_projections, reads_copies, reads_from_to
from entrypoints.cli.output import counted
from entrypoints.cli.values import LocalPath

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools


@click.command(
    epilog=example(
        "cave export gilt --format jsonl | head",
        "cave export gilt --metric orders --start 2026-11-01T00:00:00Z --output orders.parquet",
        "cave export gilt --team web --as before-the-incident --output web.csv",
    )
)
@click.argument("organization")
@click.option("--team", help="Export this team's points instead of the organization's own.")
@click.option("--metric", help="Only points of this metric.")
@reads_from_to
@reads_copies
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="The format; by default that of the file name's extension, otherwise jsonl.",
)
@click.option(
    "--output",
    "-o",
    type=LocalPath(dir_okay=False, allow_dash=True),
    default="-",
    metavar="FILE",
    help="The file, device or pipe to write to, or - for standard output (the default). A file "
    "appears only once it is complete.",
)
@on_the_projections
def export(
    tools: ProjectionTools,
    organization: str,
    team: str | None,
    metric: str | None,
    start: int | None,
    end: int | None,
    label: str | None,
    form: str | None,
    output: Path,
) -> None:
    """Write points to a file or to standard output.

    Points are ordered by name, then time, then position in the log. `cave import` can publish the
    file again. A jsonl file has one item of a publish per line. A csv file has the columns name,
    timestamp, value and tags (as JSON). A parquet file has the same columns, with a timestamp type
    and the tags as a map.
    """
    chosen = Format(form) if form is not None else Format.of(output) or Format.JSONL
    if chosen is Format.PARQUET and is_terminal(str(output)):
        raise click.UsageError(
            "Refusing to write Parquet to a terminal; choose a file with --output"
        )
    target = str(output)
    selected = ExportPoints(
        organization=organization, team=team, metric=metric, start=start, end=end, label=label
    )

    @contextmanager
    def opened() -> Iterator[PointWriter]:
        with written(target) as file, point_writer(chosen, file) as writer:
            yield writer

    points = tools.export_points(selected, opened)
    if not is_standard_output(target):
        click.echo(f"{output}: {counted(points, 'point')}")
