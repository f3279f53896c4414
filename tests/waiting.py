"""Waiting for a condition; needs nothing installed."""

import time
from collections.abc import Callable

SECONDS = 20.0


def wait_until(true: Callable[[], object]) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
