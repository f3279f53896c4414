"""`python -m entrypoints.cli`, for where the script is not on the path."""

from entrypoints.cli import run

run()
