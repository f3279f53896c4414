"""What can be wrong with a file of points."""

from __future__ import annotations


class PointFileError(Exception):
    """A file is not what its format says. Names the line or row, where it is one of them."""
