"""Errors that only commands raise."""

from __future__ import annotations


class CommandFailed(Exception):
    """A command failed; the message says why, on one line."""
