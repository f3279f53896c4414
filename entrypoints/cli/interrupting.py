"""Ctrl-C, SIGTERM and SIGHUP for long work, which ends between two steps, not within one.

An exception out of a signal's handler may come anywhere, in the middle of a transaction or of
DuckDB, which replaces it by one of its own.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from application.projections.replay import OnProgress, ReplayProgress

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded(numbers: Iterable[signal.Signals]) -> list[signal.Signals]:
    """Return the signals that are not ignored, as SIGHUP is after nohup: those stay ignored."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


class Interrupted(Exception):
    """The user asked to stop."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], None]]:
    """Yield what raises Interrupted once a signal came, for the block to call between its steps.

    A second signal does not wait for that. Whatever the block raises after a signal leaves it as
    Interrupted. For the main thread.
    """
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    def check() -> None:
        if asked:
            raise Interrupted

    former = {number: signal.signal(number, note) for number in heeded(STOPPING)}
    try:
        yield check
    except BaseException as error:
        if asked or isinstance(error, KeyboardInterrupt):
            raise Interrupted from error
        raise
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def stopping(on_progress: OnProgress, check: Callable[[], None]) -> OnProgress:
    """Return a replay's progress report that stops the replay when it is to."""

    def checked(progress: ReplayProgress) -> None:
        on_progress(progress)
        check()

    return checked
