"""The composition roots of the commands; tests replace them: `main(..., obj=Roots(...))`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NoReturn

import click
from msgspec import Struct

from application.clock import Clock, utc_now
from entrypoints.cli.environment import log_what_is_ignored
from entrypoints.processes.reaching import reach_log
from entrypoints.settings import LogSettings, ServiceSettings
from entrypoints.stop_signals import ENDING, on_stop

if TYPE_CHECKING:
    from application.use_cases import Commands, LogTools, ProjectionTools, RestoreTools

COMMAND_LEVEL = "warning"

# The imports within the functions below keep `cave --help` from loading the whole service.


@contextmanager
def open_log(settings: LogSettings) -> Iterator[Commands]:
    """Reach the log server and open the use cases that need only the log."""
    from entrypoints.wiring import commands

    with _reached(settings) as url, commands.open_commands(settings, url) as opened:
        yield opened


@contextmanager
def open_projections(settings: LogSettings) -> Iterator[ProjectionTools]:
    """Reach the log server and open the use cases that work on the projections."""
    from entrypoints.wiring import projections

    with _reached(settings) as url, projections.open_projections(settings, url) as opened:
        yield opened


@contextmanager
def open_log_tools(settings: LogSettings) -> Iterator[LogTools]:
    """Reach the log server and open the use cases that look after the log."""
    from entrypoints.wiring import projector

    with _reached(settings) as url, projector.open_log_tools(settings, url) as opened:
        yield opened


@contextmanager
def open_restore(settings: LogSettings) -> Iterator[RestoreTools]:
    """Reach an empty log server and open the archive to restore a log from."""
    from entrypoints.wiring import commands

    with _reached(settings) as url, commands.open_restore(settings, url) as opened:
        yield opened


@contextmanager
def _reached(settings: LogSettings) -> Iterator[str]:
    """Log as commands do, end in order, and yield the URL of the log server."""
    from entrypoints.logging import LEVEL_VARIABLE, configure_logging

    configure_logging(os.environ.get(LEVEL_VARIABLE) or COMMAND_LEVEL)
    with terminated_in_order(), reach_log(settings) as url:
        yield url


def project(settings: LogSettings) -> int:
    """Run the projector until stopped; return its exit code."""
    _start_logging()
    from entrypoints.processes.projector import project_alone

    return project_alone(settings)


def serve(settings: ServiceSettings, host: str, port: int) -> int:
    """Run the service until stopped; return its exit code."""
    _start_logging()
    from entrypoints.processes import supervisor

    return supervisor.serve(settings, host, port)


def _start_logging() -> None:
    from entrypoints.logging import configure_logging

    configure_logging()
    log_what_is_ignored(click.get_current_context().find_root().command, os.environ)


@contextmanager
def terminated_in_order() -> Iterator[None]:
    """Turn a signal that would end the process into an exception within the block.

    Everything opened is then closed, and unfinished files are removed. The exception is
    KeyboardInterrupt for Ctrl-C, otherwise SystemExit with the status that a shell reports.
    """
    ended_by = 0

    def leave(number: int) -> NoReturn:
        nonlocal ended_by
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        ended_by = number
        sys.exit(128 + number)

    with on_stop(leave, ENDING):
        try:
            yield
        except Exception as error:
            if ended_by:  # DuckDB replaces SystemExit with an error of its own
                raise SystemExit(128 + ended_by) from error
            raise


class Roots(Struct, frozen=True):
    """One function per way in which a command uses the service."""

    open_log: Callable[[LogSettings], AbstractContextManager[Commands]] = open_log
    open_projections: Callable[[LogSettings], AbstractContextManager[ProjectionTools]] = (
        open_projections
    )
    open_log_tools: Callable[[LogSettings], AbstractContextManager[LogTools]] = open_log_tools
    open_restore: Callable[[LogSettings], AbstractContextManager[RestoreTools]] = open_restore
    project: Callable[[LogSettings], int] = project
    serve: Callable[[ServiceSettings, str, int], int] = serve
    clock: Clock = utc_now
