"""`cave compile`: compiles the parsers of large batches ahead of the first one."""

from __future__ import annotations

import click

from entrypoints.cli.options import example
from entrypoints.errors import CommandFailed


@click.command("compile", epilog=example("cave compile"))
def compile_() -> None:
    """Compile the parsers of large batches ahead of time.

    Workers then need not have them compiled. The result is kept next to the source or, if that is
    read-only, in the user's cache directory, and fits any processor of this architecture. Takes
    about twenty seconds the first time.
    """
    from adapters.compiled_code import NotCompiled
    from adapters.point_formats.compiled_scans import PROGRAMS

    try:
        for program in PROGRAMS:
            program.build()
    except (NotCompiled, OSError) as error:
        raise CommandFailed(f"large batches are parsed without compiled code: {error}") from error
