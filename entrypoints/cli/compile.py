"""`cave compile`: compiles the parsers of large batches ahead of the first one."""

from __future__ import annotations

import click

from entrypoints.cli.options import example
from entrypoints.errors import CommandFailed


@click.command("compile", epilog=example("cave compile"))
def compile_() -> None:
    """Compile the parsers of large batches ahead of time.

    Workers then need not compile them themselves. The result is cached next to the code or, if that
    is read-only, in NUMBA_CACHE_DIR or the user's cache directory. Takes about twenty seconds the
    first time.
    """
    try:
        from adapters.point_formats.influx import scanner as influx
        from adapters.point_formats.json import scanner as json
        from adapters.point_formats.remote_write import scanner as remote_write
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise CommandFailed(
            "Numba is not installed: large batches are parsed without compiled code"
        ) from error
    for scanner in (json, remote_write, influx):
        scanner.main()
