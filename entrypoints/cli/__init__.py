"""The command line: `cave`. `main` is what pyproject's script calls."""

from entrypoints.cli.root import main

__all__ = ["main"]
