"""`cave import`: publishing files of points."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct

from adapters.http_client.client import RetryingClient, bearer
from adapters.http_client.publisher import HttpPublisher
from adapters.point_files import STANDARD_INPUT, Format, opened_points
from application.publishing.import_points import (
    Imported,
    ImportPoints,
    ImportStopped,
    UnreadablePoints,
)
from entrypoints.cli.options import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    example,
    prints_records,
    setting,
)
from entrypoints.cli.output import counted, print_json
from entrypoints.cli.progress import shown_progress
from entrypoints.cli.values import LocalPath, WholeNumber
from entrypoints.errors import CommandFailed

BATCH = 1000
MAX_BATCH = 100_000


class ImportedRecord(Struct, frozen=True):
    """An imported file; `stored_before` counts the batches that an earlier run had stored."""

    file: str
    points: int
    batches: int
    stored_before: int


@click.command(
    "import",
    epilog=example(
        "cave import gilt orders.parquet --token $TOKEN",
        "cave import gilt --team web a.jsonl b.csv --url https://metrics.example",
        "zcat orders.csv.gz | cave import gilt - --format csv",
    ),
)
@click.argument("organization")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=LocalPath(exists=True, dir_okay=False, allow_dash=True),
)
@click.option("--team", help="Publish for this team instead of the organization itself.")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="The format; by default that of FILE's extension. Required for a pipe and for -.",
)
@setting(
    "--token",
    "CAVE_TOKEN",
    required=True,
    help="A token with the scope publish. Prefer the variable: other users can read a command's "
    "arguments.",
)
@setting(
    "--url",
    "CAVE_URL",
    default=f"http://{DEFAULT_HOST}:{DEFAULT_PORT}",
    help="The URL of the service.",
)
@click.option(
    "--batch",
    "size",
    type=WholeNumber(1, MAX_BATCH),
    default=BATCH,
    show_default=True,
    help="Points per batch.",
)
@prints_records
def import_(
    organization: str,
    files: tuple[Path, ...],
    team: str | None,
    form: str | None,
    token: str,
    url: str,
    size: int,
    *,
    as_json: bool,
) -> None:
    """Publish files of points to a running service.

    FILE is in a format that `cave export` writes. It may be a pipe, or - for standard input. Each
    batch is stored whole or not at all. If an import is interrupted or a line is refused, correct
    that line and run the same command again: within 24 hours nothing is stored twice. After that,
    every point counts again.
    """
    path = f"/organizations/{quote(organization)}"
    path += f"/teams/{quote(team)}/metrics" if team else "/metrics"
    chosen = [(file, _format(file, form)) for file in files]
    try:
        client = RetryingClient(url, bearer(token), on_retry=_each_once())
    except ValueError as error:
        raise click.UsageError(f"--url or --token: {error}") from error
    with closing(client):
        import_points = ImportPoints(HttpPublisher(client, path), path, size)
        for file, kind in chosen:
            _print(file, _import_file(import_points, file, kind), as_json=as_json)


def _import_file(import_points: ImportPoints, file: Path, form: Format) -> Imported:
    try:
        with opened_points(file, form) as source:
            name = "standard input" if file == STANDARD_INPUT else file.name
            with shown_progress(f"import of {name}", f"{source.unit}s") as advance:
                return import_points(source, advance)
    except UnreadablePoints as error:
        raise CommandFailed(f"{file}: {error} (0 points stored before)") from error
    except ImportStopped as error:
        before = counted(error.points, "point")
        raise CommandFailed(f"{file}: {error} ({before} stored before)") from error


def _print(file: Path, imported: Imported, *, as_json: bool) -> None:
    points, batches, stored_before = imported.points, imported.batches, imported.stored_before
    if as_json:
        print_json(ImportedRecord(str(file), points, batches, stored_before))
        return
    before = f", {stored_before:,} of them before" if stored_before else ""
    click.echo(
        f"{file}: {counted(points, 'point')} in {batches:,} "
        f"batch{'es' if batches != 1 else ''} stored{before}"
    )


def _format(file: Path, form: str | None) -> Format:
    found = Format(form) if form is not None else Format.of(file)
    if found is None:
        raise click.UsageError(
            f"{file} does not have the extension of a known format: use --format"
        )
    return found


def _each_once() -> Callable[[str], None]:
    """Return a function that prints reasons to wait to standard error, without repetitions."""
    printed = ""

    def show(reason: str) -> None:
        nonlocal printed
        if reason != printed:
            printed = reason
            click.echo(f"{reason}; retrying", err=True)

    return show
