"""`cave projections`: the state of each projection, and how far it lags behind the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from application.projections.folds import PROJECTIONS
from entrypoints.cli.options import example, on_the_projections, prints_records
from entrypoints.cli.output import counted, print_fields, print_json, print_table, size
from entrypoints.cli.projection_records import BuildRecord, ProjectionRecord

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools


@click.command(
    epilog=example("cave projections", "cave projections --json | jq '{name, lag_seconds}'")
)
@prints_records
@on_the_projections
def projections(tools: ProjectionTools, *, as_json: bool) -> None:
    """Show the state, size and lag of each projection.

    The lag of a partition is the number of events not read yet, and the time since the first of
    them was recorded.
    """
    versions = {projection.name: projection.version for projection in PROJECTIONS}
    records = [
        ProjectionRecord.of(overview, versions[overview.status.now.projection])
        for overview in tools.overview()
    ]
    if as_json:
        print_json(*records)
        return
    for place, record in enumerate(records):
        if place:
            click.echo()
        _print(record)


def _print(record: ProjectionRecord) -> None:
    print_fields(
        [
            ("projection", record.name),
            ("state", _state(record)),
            ("writer", ", ".join(record.writers) or None),
            ("version", str(record.version)),
            ("rows", f"{record.rows:,}"),
            ("size", size(record.bytes)),
            ("lag", _lag(record)),
            ("set aside", str(len(record.set_aside)) if record.set_aside else None),
        ]
    )
    used = [p for p in record.partitions if p.position or p.lag_events]
    if used:
        click.echo()
        print_table(
            ("partition", "position", "events behind", "seconds behind"),
            [
                (str(p.partition), p.position or "-", f"{p.lag_events:,}", f"{p.lag_seconds:.1f}")
                for p in used
            ],
        )
    if empty := len(record.partitions) - len(used):
        click.echo(f"{counted(empty, 'partition')} without events")
    if record.copies:
        click.echo()
        print_table(
            ("copy", "until", "rows", "size"),
            [(c.label or "-", c.until or "-", f"{c.rows:,}", size(c.bytes)) for c in record.copies],
        )
    for rebuild in record.rebuilds:
        click.echo(_unfinished(record.name, rebuild))
    if record.set_aside:
        click.echo()
        print_table(
            ("set aside", "reason"), [(event.receipt, event.reason) for event in record.set_aside]
        )


def _state(record: ProjectionRecord) -> str:
    state: str = record.state
    if record.reason:
        state += f": {record.reason}; {record.help}"
    if record.rebuilds:
        state += ", being rebuilt"
    return state


def _lag(record: ProjectionRecord) -> str:
    if not record.lag_events:
        return "none"
    return f"{counted(record.lag_events, 'event')}, {record.lag_seconds:.1f} s"


def _unfinished(name: str, rebuild: BuildRecord) -> str:
    return (
        f"unfinished rebuild: {rebuild.rows:,} rows, {size(rebuild.bytes)}; unless it is running, "
        f"continue it with cave replay {name}, or drop it with cave replay {name} --drop"
    )
