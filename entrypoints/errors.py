"""What only a command can fail with."""

from __future__ import annotations


class CommandFailed(Exception):
    """A command could not do its work; the message says why, on one line."""
