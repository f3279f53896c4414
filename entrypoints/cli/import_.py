"""`cave import`: a file of points, published."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import click
from msgspec import Struct

from adapters.http_client.publisher import BatchRefused, Publisher, PublishFailed
from adapters.point_files import Batch, Format, PointFileError, count_points, read_batches
from entrypoints.cli.options import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    example,
    prints_records,
    setting,
)
from entrypoints.cli.output import counted, print_json
from entrypoints.cli.progress import shown_progress
from entrypoints.errors import CommandFailed

BATCH = 1000
MAX_BATCH = 100_000


class ImportedRecord(Struct, frozen=True):
    """A file that was imported; `stored_before` counts the batches that were there already."""

    file: str
    points: int
    batches: int
    stored_before: int


@click.command(
    "import",
    epilog=example(
        "cave import gilt orders.parquet --token $TOKEN",
        "cave import gilt --team web a.jsonl b.csv --url https://metrics.example",
    ),
)
@click.argument("organization")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--team", help="Publish for this team; without it, for the organization itself.")
@click.option(
    "--format",
    "form",
    type=click.Choice([form.value for form in Format]),
    help="Without it the ending of FILE decides.",
)
@setting(
    "--token",
    "CAVE_TOKEN",
    required=True,
    help="A token with the scope publish. Better set by the variable: other users can read a "
    "command's arguments.",
)
@setting(
    "--url",
    "CAVE_URL",
    default=f"http://{DEFAULT_HOST}:{DEFAULT_PORT}",
    help="Where the service is.",
)
@click.option(
    "--batch",
    "size",
    type=click.IntRange(1, MAX_BATCH),
    default=BATCH,
    show_default=True,
    help="Points a batch.",
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
    """Publish files that `cave export` wrote, or others like them, to a running service.

    Every batch is stored whole or not at all. Interrupted or refused half-way, the same command
    with the same --batch may be run again, also with the refused line put right: within 24 hours,
    what was stored of that file up to there is not stored twice. After that every point counts
    again.
    """
    path = f"/organizations/{quote(organization)}"
    path += f"/teams/{quote(team)}/metrics" if team else "/metrics"
    chosen = [(file, _format(file, form)) for file in files]
    try:
        publisher = Publisher(url, path, token, _told_once())
    except ValueError as error:
        raise click.UsageError(f"--url or --token: {error}") from error
    with closing(publisher):
        for file, kind in chosen:
            record = _import_file(publisher, file, kind, path, size)
            if as_json:
                print_json(record)
                continue
            before = f", {record.stored_before} of them before" if record.stored_before else ""
            click.echo(
                f"{file}: {counted(record.points, 'point')} in {record.batches:,} "
                f"batch{'es' if record.batches != 1 else ''} stored{before}"
            )


def _import_file(
    publisher: Publisher, file: Path, form: Format, path: str, size: int
) -> ImportedRecord:
    points = batches = stored_before = 0
    try:
        unit = "rows" if form is Format.PARQUET else "lines"
        with shown_progress(f"import of {file.name}", unit) as advance:
            total = count_points(file, form)
            so_far = sha256(f"{file.name} {path} {size}".encode())
            for batch in read_batches(file, form, size):
                so_far.update(batch.body)
                stored_before += _publish(publisher, batch, _key(so_far.hexdigest(), batches))
                batches += 1
                points += len(batch.items)
                advance(batch.places[-1], max(total, batch.places[-1]), points)
    except (PointFileError, PublishFailed) as error:
        raise CommandFailed(
            f"{file}: {error} ({counted(points, 'point')} stored before)"
        ) from error
    return ImportedRecord(str(file), points, batches, stored_before)


def _publish(publisher: Publisher, batch: Batch, key: str) -> bool:
    try:
        return publisher.publish(batch.body, key)
    except BatchRefused as error:
        index, detail = error.faults[0]
        place = "" if index is None else f"line {batch.places[index]}: "
        others = len(error.faults) - 1
        more = f", and {counted(others, 'other fault')} in this batch"
        raise PublishFailed(f"{place}{detail}{more if others else ''}") from error


def _key(so_far: str, number: int) -> str:
    """Return the Idempotency-Key of a batch.

    It is the same where all is up to the batch's end: a line that is refused can be put right
    without what was stored before it being stored again.
    """
    return f"import-{so_far[:32]}-{number}"


def _format(file: Path, form: str | None) -> Format:
    found = Format(form) if form is not None else Format.of(file)
    if found is None:
        raise click.UsageError(f"the ending of {file} tells no format: name it with --format")
    return found


def _told_once() -> Callable[[str], None]:
    """Return what tells each reason to wait on standard error, once in a row."""
    told = ""

    def tell(reason: str) -> None:
        nonlocal told
        if reason != told:
            told = reason
            click.echo(f"{reason}; trying again", err=True)

    return tell
