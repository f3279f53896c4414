"""`cave projector`: the process that keeps the projections up to date, on its own."""

from __future__ import annotations

import click

from entrypoints.cli.options import example, roots, takes_archive_policy, takes_log_settings
from entrypoints.settings import LogSettings


@click.command(
    epilog=example("cave projector", "cave projector --redis-url redis://log.internal:6379/0")
)
@takes_log_settings
@takes_archive_policy
@click.pass_context
def projector(ctx: click.Context, log: LogSettings) -> None:
    """Keep the projections and the archive up to date until stopped.

    `cave serve` runs a projector of its own, unless it has --no-projector. With catalogs in
    PostgreSQL, up to four projectors share the work of a projection; any others stand by.
    """
    ctx.exit(roots().project(log))
