"""`cave verify`: a projection compared with the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from application.projections.folds import Projection
from application.projections.live import rebuild_hint
from entrypoints.cli.interrupting import Interrupted, asked_to_stop, stopping
from entrypoints.cli.options import example, names_projection, on_the_projections, prints_records
from entrypoints.cli.output import counted, print_json, print_table
from entrypoints.cli.progress import shown_progress
from entrypoints.cli.projection_records import VerifiedRecord
from entrypoints.cli.replay import reporting
from entrypoints.errors import CommandFailed

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools


@click.command(epilog=example("cave verify points", "cave verify metric_names --json"))
@names_projection
@prints_records
@on_the_projections
def verify(tools: ProjectionTools, projection: Projection, *, as_json: bool) -> None:
    """Check that a projection matches the log.

    NAME is points, metric_names or metric_metadata. The log is replayed into a scratch copy, which
    is compared with the live projection; that one is still updated meanwhile.

    If they match, prints the digest of the rows, which does not depend on their order. If not,
    prints the owners whose rows differ and the events that only one of the two set aside, and exits
    with 1.
    """
    try:
        with (
            asked_to_stop() as check,
            shown_progress(f"verification of {projection.name}", "events") as advance,
        ):
            verified = tools.verify(projection, stopping(reporting(advance), check))
    except Interrupted as interruption:
        raise CommandFailed("interrupted: nothing has changed") from interruption
    record = VerifiedRecord.of(projection.name, verified)
    if as_json:
        print_json(record)
    elif record.agrees:
        click.echo(record.digest)
    else:
        _print_differences(record)
    if not record.agrees:
        raise CommandFailed(f"{_what_differs(record)}; {rebuild_hint(projection.name)}")


def _print_differences(record: VerifiedRecord) -> None:
    if record.differences:
        print_table(
            ("organization", "team", "rows live", "rows replayed"),
            [
                (d.organization, d.team or "-", f"{d.live:,}", f"{d.replayed:,}")
                for d in record.differences
            ],
        )
    if record.set_aside:
        print_table(
            ("set aside by only one", "reason"),
            [(event.receipt, event.reason) for event in record.set_aside],
        )


def _what_differs(record: VerifiedRecord) -> str:
    parts = []
    if record.differences:
        parts.append(f"the rows of {counted(len(record.differences), 'owner')}")
    if record.set_aside:
        parts.append(f"{counted(len(record.set_aside), 'event')} set aside")
    return (
        f"the projection {record.projection} does not match the log: {' and '.join(parts)} differ"
    )
