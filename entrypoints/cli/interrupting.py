"""Requests to stop for long work that ends in order, between two steps rather than within one.

An exception out of a signal's handler may come anywhere, in the middle of a transaction or of
DuckDB, which replaces it by one of its own.
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
    """Yield what raises Interrupted once a signal came, for the block to call between its steps.

    A second signal does not wait for that. Whatever the block raises after a signal leaves it as
    Interrupted. For the main thread.
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
    """Return a replay's progress report that stops the replay when it is to."""

    def checked(progress: ReplayProgress) -> None:
        on_progress(progress)
        check()

    return checked
