"""The clock that use cases are given."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, aware and in UTC."""


def utc_now() -> datetime:
    """Return the system's time. The one clock of every process; tests pass another."""
    return datetime.now(UTC)
