"""`cave replay`: a projection rebuilt from the events, or a copy of it as of a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from application.errors import LogGap
from application.projections.errors import ProjectionDiverged
from application.projections.folds import Projection
from application.projections.replay import OnProgress, Replayed, ReplayProgress
from domain.names import abbreviated
from entrypoints.cli.interrupting import Interrupted, asked_to_stop, stopping
from entrypoints.cli.options import example, names_projection, on_the_projections, prints_records
from entrypoints.cli.output import counted, iso_milliseconds, print_json
from entrypoints.cli.progress import Advance, points_per_second, shown_progress
from entrypoints.cli.projection_records import ReplayedRecord
from entrypoints.cli.values import Time
from entrypoints.errors import CommandFailed

if TYPE_CHECKING:
    from application.use_cases import ProjectionTools


@click.command(
    epilog=example(
        "cave replay points",
        "cave replay points --until 2026-11-24T02:00:00Z --as before-the-incident",
        "cave replay points --drop --as before-the-incident",
    )
)
@names_projection
@click.option(
    "--until",
    type=Time(),
    help="Make a copy of everything recorded before this time: ISO 8601 with a time zone, or "
    "seconds since the epoch.",
)
@click.option(
    "--as",
    "label",
    metavar="LABEL",
    help="The name of the copy, by default NAME@TIME; without --until, make a copy as of now.",
)
@click.option(
    "--restart", is_flag=True, help="Start over instead of continuing an interrupted rebuild."
)
@click.option(
    "--accept-loss",
    is_flag=True,
    help="Rebuild it from the events that are left, although some are missing from the log.",
)
@click.option(
    "--drop", is_flag=True, help="Drop the copy LABEL, or without --as, an interrupted rebuild."
)
@prints_records
@on_the_projections
def replay(
    tools: ProjectionTools,
    projection: Projection,
    until: int | None,
    label: str | None,
    *,
    restart: bool,
    accept_loss: bool,
    drop: bool,
    as_json: bool,
) -> None:
    """Rebuild a projection from the log, or copy it as of a time.

    NAME is points, metric_names or metric_metadata. The projection is rebuilt from the first event
    alongside the live one, then swapped in atomically: readers never see a partial rebuild. If
    interrupted, it leaves the live one untouched, and the same command continues where it stopped.

    If events are missing from the log, nothing is swapped in, and the exit code is 1.

    With --until it makes a copy as of that time instead, to be read with the option --as of
    `cave export` and `cave plot`. A copy is kept until it is dropped.
    """
    copies = until is not None or label is not None
    if drop and (restart or until is not None):
        raise click.UsageError("--drop can only be combined with --as")
    if accept_loss and (copies or drop):
        raise click.UsageError("--accept-loss is only for rebuilds")
    if restart and copies:
        raise click.UsageError(
            "--restart is only for rebuilds: a copy is always made from the start"
        )
    if drop:
        _drop(tools, projection, label)
        return
    if label is None and until is not None:
        label = f"{projection.name}@{iso_milliseconds(until).replace('.000Z', 'Z')}"
    began = time.monotonic()
    try:
        with (
            asked_to_stop() as check,
            shown_progress(f"replay of {projection.name}", "events") as advance,
        ):
            on_progress = stopping(reporting(advance), check)
            if label is None:
                replayed = tools.replay.rebuild(
                    projection, on_progress, restart=restart, accept_loss=accept_loss
                )
            else:
                replayed = tools.replay.copy(projection, until, label, on_progress)
    except Interrupted as interruption:
        raise CommandFailed(_interrupted(projection.name, label)) from interruption
    except (LogGap, ProjectionDiverged) as loss:
        raise CommandFailed(_incomplete(projection.name, label, loss)) from loss
    _print(replayed, time.monotonic() - began, as_json=as_json)


def reporting(advance: Advance) -> OnProgress:
    """Return a function that passes a replay's progress to `advance`."""

    def on_progress(progress: ReplayProgress) -> None:
        advance(progress.events, progress.total, progress.points)

    return on_progress


def _drop(tools: ProjectionTools, projection: Projection, label: str | None) -> None:
    if label is None:
        dropped = tools.replay.drop_unfinished(projection)
        what = f"unfinished rebuild of {projection.name}"
    else:
        dropped = tools.replay.drop_copy(projection, label)
        what = f"copy {abbreviated(label)} of {projection.name}"
    if not dropped:
        raise CommandFailed(f"there is no {what}")
    click.echo(f"{what} dropped")


def _incomplete(name: str, label: str | None, loss: Exception) -> str:
    if label is not None:
        return f"{loss}; no copy was made"
    return (
        f"{loss}; nothing was swapped in. To rebuild it from the events that are left: "
        f"cave replay {name} --accept-loss"
    )


def _interrupted(name: str, label: str | None) -> str:
    if label is not None:
        return "interrupted: the copy was removed, the live projection is untouched"
    return (
        f"interrupted: the live projection is untouched; "
        f"continue with cave replay {name}, or drop the rebuild with cave replay {name} --drop"
    )


def _print(replayed: Replayed, seconds: float, *, as_json: bool) -> None:
    generation = replayed.generation
    if as_json:
        until = generation.until
        print_json(
            ReplayedRecord(
                projection=generation.projection,
                generation=generation.number,
                label=generation.label,
                until=None if until is None else iso_milliseconds(until),
                events=replayed.events,
                points=replayed.points,
                seconds=round(seconds, 3),
            )
        )
        return
    fate = "is live" if generation.label is None else f"is the copy {generation.label}"
    click.echo(
        f"{generation.projection}: {counted(replayed.points, 'point')} of "
        f"{counted(replayed.events, 'event')} in "
        f"{seconds:.1f} s ({points_per_second(replayed.points, seconds)}); "
        f"generation {generation.number} {fate}"
    )
