"""The command line: `cave`. `run` is what pyproject's script calls."""

from entrypoints.cli.root import main, run

__all__ = ["main", "run"]
