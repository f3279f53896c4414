"""NumPy, for columns of many numbers. Loaded on first use, as small batches do without it."""

from __future__ import annotations

from functools import cache
from typing import Any

VECTORS_FROM = 32
"""Minimum numbers that NumPy is faster for than a loop."""


def vectors(count: int) -> Any:
    """Return NumPy if it is faster for so many numbers and installed, else None."""
    return _numpy() if count >= VECTORS_FROM else None


@cache
def _numpy() -> Any:
    try:
        import numpy as np
    except ImportError:
        return None
    return np
