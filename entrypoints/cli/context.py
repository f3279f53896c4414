"""What the commands act through, to be replaced in tests: `main(..., obj=Roots(...))`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct

from application.clock import Clock, utc_now
from entrypoints.cli.interrupting import heeded
from entrypoints.processes.reaching import reach_log
from entrypoints.settings import LogSettings, ServiceSettings

if TYPE_CHECKING:
    from entrypoints.wiring import Commands, ProjectionTools

COMMAND_LEVEL = "warning"

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU)
"""What ends a process from outside, beside Ctrl-C, which Python makes a KeyboardInterrupt."""

# The imports within the functions below keep `cave --help` from loading the whole service.


@contextmanager
def open_log(settings: LogSettings) -> Iterator[Commands]:
    """Reach the log server and wire the commands."""
    from entrypoints.logging import LEVEL_VARIABLE, configure_logging
    from entrypoints.wiring import open_commands

    configure_logging(os.environ.get(LEVEL_VARIABLE) or COMMAND_LEVEL)
    with terminated_in_order(), reach_log(settings) as url, open_commands(settings, url) as opened:
        yield opened


@contextmanager
def open_projections(settings: LogSettings) -> Iterator[ProjectionTools]:
    """Reach the log server and wire what works on the projections."""
    from entrypoints import wiring
    from entrypoints.logging import LEVEL_VARIABLE, configure_logging

    configure_logging(os.environ.get(LEVEL_VARIABLE) or COMMAND_LEVEL)
    with (
        terminated_in_order(),
        reach_log(settings) as url,
        wiring.open_projections(settings, url) as opened,
    ):
        yield opened


def project(settings: LogSettings) -> int:
    """Run the projector until it is stopped; return its exit code."""
    from entrypoints.processes.projector import project_alone

    return project_alone(settings)


def serve(settings: ServiceSettings, host: str, port: int) -> int:
    """Run the service until it is stopped; return its exit code."""
    from entrypoints.processes import supervisor

    return supervisor.serve(settings, host, port)


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Let a signal that ends the process leave the block by an exception instead.

    What was opened is then closed, and files in the making are removed. Signals that were ignored
    before stay ignored. For the main thread.
    """
    ended_by = 0

    def leave(number: int, _frame: FrameType | None) -> NoReturn:
        nonlocal ended_by
        ended_by = number
        sys.exit(128 + number)

    former = {number: signal.signal(number, leave) for number in heeded(ENDING)}
    try:
        yield
    except Exception as error:
        if ended_by:  # DuckDB replaces the exit by an error of its own
            raise SystemExit(128 + ended_by) from error
        raise
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


class Roots(Struct, frozen=True):
    """The composition roots behind the commands."""

    open_log: Callable[[LogSettings], AbstractContextManager[Commands]] = open_log
    open_projections: Callable[[LogSettings], AbstractContextManager[ProjectionTools]] = (
        open_projections
    )
    project: Callable[[LogSettings], int] = project
    serve: Callable[[ServiceSettings, str, int], int] = serve
    clock: Clock = utc_now
