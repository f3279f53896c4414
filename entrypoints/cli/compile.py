"""`cave compile`: compiles what handles large batches ahead of the first one."""

from __future__ import annotations

import click

from entrypoints.cli.options import example
from entrypoints.errors import CommandFailed


@click.command("compile", epilog=example("cave compile"))
def compile_() -> None:
    """Compile what reads and encodes large batches ahead of time.

    Workers then need not have them compiled. The result is kept next to the source or, if that is
    read-only, in the user's cache directory, and fits any processor of this architecture. Takes
    about twenty seconds the first time.
    """
    from adapters.compiled_code import NotCompiled
    from adapters.event_format.compiled_columns import PROGRAM as COLUMNS
    from adapters.point_formats.compiled_scans import PROGRAMS as SCANS

    try:
        for program in (*SCANS, COLUMNS):
            program.build()
    except (NotCompiled, OSError) as error:
        raise CommandFailed(f"large batches are handled without compiled code: {error}") from error
