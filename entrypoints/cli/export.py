"""`cave export`: an owner's points, as a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from uuid import uuid4

import click

from adapters.point_files import Format, point_writer
from domain.organization import check_team
from entrypoints.cli.options import example, on_the_projections, reads_copies, reads_from_to
from entrypoints.cli.output import counted
from entrypoints.cli.values import LocalPath
from entrypoints.errors import CommandFailed

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
@click.option("--team", help="The points of this team; without it, the organization's own.")
@click.option("--metric", help="Only this metric's.")
@reads_from_to
@reads_copies
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="Without it the ending of FILE decides, else it is jsonl.",
)
@click.option(
    "--output",
    "-o",
    type=LocalPath(dir_okay=False),
    metavar="FILE",
    help="Where to write, at once and only when complete; without it, on standard output.",
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
    output: Path | None,
) -> None:
    """Write points by name, time and the order of the log.

    `cave import` publishes such a file back. jsonl has an item of a publish a line; csv the columns
    name, timestamp, value and tags, which are JSON; parquet the same columns, the timestamp being
    one and the tags a map.
    """
    chosen = _format(form, output)
    if output is None and chosen is Format.PARQUET and sys.stdout.isatty():
        raise click.UsageError("Parquet is nothing for a terminal: name a file with --output")
    owner = tools.manage.look_ups.organization(organization)
    if team is not None:
        check_team(owner, team)
    if metric is not None and not tools.read_model.knows(organization, team, metric):
        raise CommandFailed(f"{_named(organization, team)} has no metric {metric!r}")
    points = 0
    with _destination(output) as file, point_writer(chosen, file) as writer:
        for rows in tools.read_model.rows(
            organization, team, metric=metric, start=start, end=end, label=label
        ):
            writer.write(rows)
            points += len(rows)
    if output is not None:
        click.echo(f"{output}: {counted(points, 'point')}")


def _format(form: str | None, output: Path | None) -> Format:
    if form is not None:
        return Format(form)
    return (Format.of(output) if output is not None else None) or Format.JSONL


def _named(organization: str, team: str | None) -> str:
    return organization if team is None else f"{organization}/{team}"


@contextmanager
def _destination(path: Path | None) -> Iterator[BinaryIO]:
    if path is None:
        yield sys.stdout.buffer
        return
    with _written_whole(path) as file:
        yield file


@contextmanager
def _written_whole(path: Path) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of `path` when the block has ended without an error."""
    beside = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
