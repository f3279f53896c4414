"""Waiting for a condition, with the standard library alone."""

import time
from collections.abc import Callable

SECONDS = 20.0


def wait_until(
    true: Callable[[], object], seconds: float = SECONDS, *, every: float = 0.01
) -> None:
    """Wait until a condition holds, looking `every` so many seconds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not true within {seconds:.0f} s"
        time.sleep(every)
