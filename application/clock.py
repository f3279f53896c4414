"""The clock passed to use cases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current time, aware and in UTC."""


def utc_now() -> datetime:
    """Return the system's time. Every process uses this clock; tests pass their own."""
    return datetime.now(UTC)


def milliseconds(clock: Clock) -> int:
    """Return the current time in milliseconds since the epoch."""
    return int(clock().timestamp() * 1000)
