"""Running coroutines without tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def drive(
    coroutine: Coroutine[asyncio.Future[Any], None, T], returned: Callable[[T], None]
) -> None:
    """Run a coroutine that never raises, up to the next future it awaits or to its result.

    A task would do the same, but costs its own creation and an iteration of the loop before it
    starts.
    """
    try:
        waits_for = coroutine.send(None)
    except StopIteration as done:
        returned(done.value)
    else:
        # As a task does, so that others may await it too.
        waits_for._asyncio_future_blocking = False  # noqa: SLF001
        waits_for.add_done_callback(lambda _: drive(coroutine, returned))
