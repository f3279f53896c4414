"""The command `cave`: its subcommands, and how a failure of any of them is reported."""

from __future__ import annotations

import logging
import signal
import sys
from io import StringIO
from typing import Any

import click

from application.errors import LogError, UnknownReceipt
from application.event_log.ports import UnreadableEvent
from application.projections.errors import ProjectionError, UnknownMetric
from application.reading.promql_errors import PromqlError
from domain.errors import DomainError
from entrypoints.cli.compile import compile_
from entrypoints.cli.context import Roots
from entrypoints.cli.demo import demo
from entrypoints.cli.events import events
from entrypoints.cli.export import export
from entrypoints.cli.import_ import import_
from entrypoints.cli.log import log
from entrypoints.cli.options import example
from entrypoints.cli.org import org
from entrypoints.cli.plot import plot
from entrypoints.cli.projections import projections
from entrypoints.cli.projector import projector
from entrypoints.cli.query import query
from entrypoints.cli.replay import replay
from entrypoints.cli.serve import serve
from entrypoints.cli.team import team
from entrypoints.cli.terminal import printable, replace_what_cannot_be_written
from entrypoints.cli.token import token
from entrypoints.cli.values import UnicodeText
from entrypoints.cli.verify import verify
from entrypoints.errors import CommandFailed
from entrypoints.stop_signals import STOPPING

EXPECTED = (
    CommandFailed,
    DomainError,
    LogError,
    ProjectionError,
    PromqlError,
    UnknownMetric,
    UnknownReceipt,
    UnreadableEvent,
    OSError,
)
"""Errors that are not defects of CAVE."""

INTERRUPTED = "Query interrupted"
"""The message of the RuntimeError that DuckDB raises in place of a signal handler's exception."""


class Cave(click.Group):
    """Turns every failure into one line on stderr and an exit code.

    A defect is reported in one line too; its traceback is logged at level debug.
    """

    def main(self, *arguments: Any, **options: Any) -> Any:
        replace_what_cannot_be_written()
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader of the output has closed it. The interpreter would flush the rest while it
            # shuts down, and report another error.
            sys.stdout = StringIO()
            ctx.exit(0)
        except EXPECTED as error:
            raise click.ClickException(one_line(error)) from error
        except (click.exceptions.Exit, click.Abort, click.ClickException):
            raise
        except Exception as error:
            if isinstance(error, RuntimeError) and str(error) == INTERRUPTED:
                raise click.Abort from error
            logging.getLogger(__name__).debug("defect", exc_info=True)
            raise click.ClickException(
                f"defect: {type(error).__name__}: {one_line(error)}"
            ) from error
        return result


def one_line(error: Exception) -> str:
    """Return an error's message on one line, or the name of its class if it has no message."""
    return printable(" ".join(str(error).split())) or type(error).__name__


@click.group(
    cls=Cave,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=example(
        "cave serve",
        "cave org create gilt",
        "cave events tail --org gilt",
    ),
)
@click.version_option(package_name="cave")
@click.pass_context
def main(ctx: click.Context) -> None:
    """CAVE: an event-sourced metrics service.

    An option that lists a CAVE_* variable can also be set by that variable; the option takes
    precedence. Commands work whether or not `cave serve` is running on the same data directory.
    """
    if ctx.obj is None:
        ctx.obj = Roots()


def run() -> None:
    """Run the command in this process's arguments, and exit with its exit code."""
    try:
        main(prog_name="cave")
    finally:
        # The work is done: a signal while the interpreter shuts down would hide the exit code.
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)


for command in (
    *(serve, demo),
    *(org, team, token, events),
    *(query, plot, export, import_),
    *(projections, replay, verify, projector),
    log,
    compile_,
):
    main.add_command(command)


def _take_only_unicode(command: click.Command) -> None:
    """Have each parameter of plain text refuse arguments that are not valid Unicode."""
    for parameter in command.params:
        if parameter.type is click.STRING:
            parameter.type = UnicodeText()
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            _take_only_unicode(subcommand)


_take_only_unicode(main)
