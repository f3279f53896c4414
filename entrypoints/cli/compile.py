"""`cave compile`: compiles the fast readers' code ahead of the first large batch."""

from __future__ import annotations

import click

from entrypoints.cli.options import example
from entrypoints.errors import CommandFailed


@click.command("compile", epilog=example("cave compile"))
def compile_() -> None:
    """Compile the parser of large batches once, so that no worker has to.

    The result is cached beside the code, or where that is read-only, in the user's cache directory
    or NUMBA_CACHE_DIR. Takes about ten seconds the first time.
    """
    try:
        from adapters.point_formats.json import scanner
    except ModuleNotFoundError as error:
        if error.name != "numba":
            raise
        raise CommandFailed(
            "Numba is not installed: large batches are parsed without compiled code"
        ) from error
    scanner.main()
