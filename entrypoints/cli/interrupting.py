"""Requests to stop long work between two of its steps, so that it ends in order.

An exception raised by a signal handler may come anywhere, in the middle of a transaction or of
DuckDB, which replaces it with one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from application.projections.replay import OnProgress, ReplayProgress
from entrypoints.stop_signals import on_stop


class Interrupted(Exception):
    """The user asked to stop."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], None]]:
    """Yield a function to call between steps: it raises Interrupted after a signal.

    A second signal interrupts the block immediately. Anything the block raises after a signal is
    replaced with Interrupted. For the main thread.
    """
    asked = False

    def note(_number: int) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def check() -> None:
        if asked:
            raise Interrupted

    with on_stop(note):
        try:
            yield check
        except BaseException as error:
            if asked or isinstance(error, KeyboardInterrupt):
                raise Interrupted from error
            raise


def stopping(on_progress: OnProgress, check: Callable[[], None]) -> OnProgress:
    """Return `on_progress` followed by `check`, which may stop the replay."""

    def checked(progress: ReplayProgress) -> None:
        on_progress(progress)
        check()

    return checked
