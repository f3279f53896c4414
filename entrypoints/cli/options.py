"""Options that commands share, and the types of their values.

Each setting's option has a `CAVE_*` variable. click reads it if the option is not given, and names
it in the error if its value is invalid.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from application.archiving.policy import ArchivePolicy
from application.event_log.durability import Durability
from application.event_log.partitioning import DEFAULT_PARTITIONS, MAX_PARTITIONS
from domain.errors import InvalidArgument
from entrypoints.cli.context import Roots
from entrypoints.cli.environment import Setting
from entrypoints.cli.values import (
    DurabilityValue,
    Duration,
    KeyPrefix,
    LocalPath,
    PathOrUrl,
    ProjectionName,
    ProjectionsFiles,
    RedisUrl,
    Size,
    Time,
    WholeNumber,
)
from entrypoints.settings import LogSettings

Command = Callable[..., None]

LEVEL_VARIABLE = "CAVE_LOG_LEVEL"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
MIN_LEASE = timedelta(seconds=1)
MAX_LEASE = timedelta(hours=1)


def example(*lines: str) -> str:
    """Return a command's epilog: examples of its use, one per line."""
    heading = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join(["\b", heading, *(f"  {line}" for line in lines)])


def setting(flag: str, variable: str, **attributes: Any) -> Callable[[Command], Command]:
    """An option that can also be set by a `CAVE_*` variable."""
    attributes.setdefault("show_default", attributes.get("default") is not None)
    return click.option(flag, cls=Setting, envvar=variable, show_envvar=True, **attributes)


def _pass_on_log_level(_ctx: click.Context, _param: click.Parameter, level: str | None) -> None:
    """Set the variable, which this process and its children read."""
    if level is not None:
        os.environ[LEVEL_VARIABLE] = level


def _check_lease(ctx: click.Context, param: click.Parameter, lease: timedelta) -> timedelta:
    if not MIN_LEASE <= lease <= MAX_LEASE:
        raise click.BadParameter("it must be from 1s to 1h", ctx, param)
    return lease


_DEFAULTS = LogSettings()

LOG_OPTIONS = (
    setting(
        "--data-dir",
        "CAVE_DATA_DIR",
        type=LocalPath(file_okay=False),
        default=_DEFAULTS.data_dir,
        help="The directory of the embedded log server's data and of the projections.",
    ),
    setting(
        "--max-memory",
        "CAVE_MAX_MEMORY",
        type=Size(),
        help="The memory of the embedded log server, which refuses writes when it is full; a "
        "quarter of the machine's if unset.",
    ),
    setting(
        "--redis-url",
        "CAVE_REDIS_URL",
        type=RedisUrl(),
        help="Use this Redis or Valkey as the log server instead of the embedded one, or, with "
        "redis+sentinel://host:port,host:port/service, the primary that Sentinels name, or, with "
        "redis+cluster://host:port,host:port, the masters of a cluster.",
    ),
    setting(
        "--key-prefix",
        "CAVE_KEY_PREFIX",
        type=KeyPrefix(),
        default=_DEFAULTS.key_prefix,
        help="The prefix of the log's keys.",
    ),
    setting(
        "--partitions",
        "CAVE_PARTITIONS",
        type=WholeNumber(1, MAX_PARTITIONS),
        help=f"Partitions of a new log, {DEFAULT_PARTITIONS} if unset; cannot be changed later.",
    ),
    setting(
        "--allow-weak-log",
        "CAVE_ALLOW_WEAK_LOG",
        is_flag=True,
        help="Accept a log server whose settings allow it to lose acknowledged data.",
    ),
    setting(
        "--durability",
        "CAVE_DURABILITY",
        type=DurabilityValue(),
        default="local",
        help="Where an event has to be before it is acknowledged: `local`, on the disk of the log "
        "server, or `replicated:N`, on those of N of its replicas as well.",
    ),
    setting(
        "--projections-catalog",
        "CAVE_PROJECTIONS_CATALOG",
        help="Keep the projections' catalogs in this PostgreSQL instead of the data directory.",
    ),
    setting(
        "--projections-files",
        "CAVE_PROJECTIONS_FILES",
        type=ProjectionsFiles(),
        help="Keep the projections' files here: a shared directory or s3://bucket/prefix. "
        "Requires --projections-catalog.",
    ),
    setting(
        "--projections-lease",
        "CAVE_PROJECTIONS_LEASE",
        type=Duration(),
        default="10s",
        callback=_check_lease,
        help="After this time, a projector that is not heard of may be replaced by another host's.",
    ),
    setting(
        "--projections-connections",
        "CAVE_PROJECTIONS_CONNECTIONS",
        type=WholeNumber(min=4),
        default=16,
        help="The most connections of a worker to that PostgreSQL.",
    ),
    setting(
        "--archive",
        "CAVE_ARCHIVE",
        type=PathOrUrl(),
        help="Where the older part of the log is: a directory or an object store's URL "
        "(s3://, gs://, az://), or `off`; by default `archive` in the data directory, and none "
        "for a log server of your own.",
    ),
    setting(
        "--log-level",
        LEVEL_VARIABLE,
        type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
        expose_value=False,
        callback=_pass_on_log_level,
        help="The lowest level to log to standard error; by default info for `serve` and "
        "`projector`, warning for other commands.",
    ),
)


ARCHIVE_OPTIONS = (
    setting(
        "--archive-every",
        "CAVE_ARCHIVE_EVERY",
        type=Duration(),
        default="10m",
        help="The longest time until an event is copied to the archive.",
    ),
    setting(
        "--hot-age",
        "CAVE_HOT_AGE",
        type=Duration(),
        default="1h",
        help="How long the log server keeps events that are in the archive.",
    ),
    setting(
        "--hot-memory",
        "CAVE_HOT_MEMORY",
        type=Size(),
        default="512MiB",
        help="The most memory of the log server for events; the oldest ones are archived earlier.",
    ),
)


def takes_log_settings(function: Command) -> Command:
    """Give a command the options of the log; it receives the settings as `log`."""

    @wraps(function)
    def command(
        data_dir: Path,
        max_memory: int | None,
        redis_url: str | None,
        key_prefix: str,
        partitions: int | None,
        allow_weak_log: bool,  # noqa: FBT001  click passes it by name
        durability: Durability,
        projections_catalog: str | None,
        projections_files: str | None,
        projections_lease: timedelta,
        projections_connections: int,
        archive: str | None,
        **arguments: Any,
    ) -> None:
        if (projections_catalog is None) != (projections_files is None):
            raise click.UsageError(
                "--projections-catalog and --projections-files must be given together"
            )
        if durability.replicas and redis_url is None:
            raise click.UsageError(
                f"--durability {durability} needs a log server with replicas: name it with "
                "--redis-url"
            )
        log = LogSettings(
            data_dir=data_dir,
            max_memory=max_memory,
            redis_url=redis_url,
            key_prefix=key_prefix,
            partitions=partitions,
            allow_weak_log=allow_weak_log,
            durability=durability,
            projections_catalog=projections_catalog,
            projections_files=projections_files,
            projections_lease=projections_lease,
            projections_connections=projections_connections,
            archive=archive,
        )
        function(log=log, **arguments)

    decorated: Command = command
    for option in reversed(LOG_OPTIONS):
        decorated = option(decorated)
    return decorated


def takes_archive_policy(function: Command) -> Command:
    """Add the options on when events are archived to those of `takes_log_settings`, below it."""

    @wraps(function)
    def command(
        log: LogSettings,
        archive_every: timedelta,
        hot_age: timedelta,
        hot_memory: int,
        **arguments: Any,
    ) -> None:
        policy = ArchivePolicy(
            every=archive_every.total_seconds(),
            hot_age=hot_age.total_seconds(),
            hot_memory=hot_memory,
        )
        function(log=replace(log, archive_policy=policy), **arguments)

    decorated: Command = command
    for option in reversed(ARCHIVE_OPTIONS):
        decorated = option(decorated)
    return decorated


def on_the_log(function: Command) -> Command:
    """Give a command the options of the log, and open it; it receives `commands`.

    The domain's InvalidArgument becomes a usage error.
    """
    return _on(lambda: roots().open_log, function)


def on_the_projections(function: Command) -> Command:
    """Do the same, but open the projections as well; it receives `tools`."""
    return _on(lambda: roots().open_projections, function)


def on_the_log_tools(function: Command) -> Command:
    """Do the same, but open what looks after the log; it receives `tools`."""
    return _on(lambda: roots().open_log_tools, function)


def _on(
    opener: Callable[[], Callable[[LogSettings], AbstractContextManager[Any]]], function: Command
) -> Command:
    @wraps(function)
    def command(log: LogSettings, **arguments: Any) -> None:
        try:
            with opener()(log) as opened:
                function(opened, **arguments)
        except InvalidArgument as error:
            raise click.UsageError(str(error)) from error

    return takes_log_settings(command)


def names_projection(function: Command) -> Command:
    """Add the argument NAME; the command receives `projection`."""

    return click.argument("projection", type=ProjectionName(), metavar="NAME")(function)


def reads_copies(function: Command) -> Command:
    """Add `--as`; the command receives `label`."""
    return click.option(
        "--as",
        "label",
        metavar="LABEL",
        help="Read the copy LABEL (see `cave replay --until`) instead of the live projection.",
    )(function)


def reads_from_to(function: Command) -> Command:
    """Add `--start` and `--end`; the command receives both, in milliseconds since the epoch.

    As over HTTP, a start after the end is an error; the range between equal ones is empty.
    """

    @wraps(function)
    def checked(*args: Any, start: int | None, end: int | None, **options: Any) -> Any:
        if start is not None and end is not None and start > end:
            raise click.UsageError("--start is after --end")
        return function(*args, start=start, end=end, **options)

    return click.option(
        "--start",
        type=Time(),
        help="Only points from this time on: ISO 8601 with a zone, or seconds since the epoch.",
    )(
        click.option(
            "--end", type=Time(), help="Only points before this time, in the same formats."
        )(checked)
    )


def roots() -> Roots:
    """Return the composition roots of the running command."""
    found = click.get_current_context().obj
    assert isinstance(found, Roots)  # noqa: S101  the group sets it
    return found


def prints_records(function: Command) -> Command:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")(
        function
    )


def prints_token(function: Command) -> Command:
    """Add `--json` and `--quiet`, of which at most one may be given."""

    @wraps(function)
    def command(as_json: bool, quiet: bool, **arguments: Any) -> None:  # noqa: FBT001  see above
        if as_json and quiet:
            raise click.UsageError("--json and --quiet cannot be used together")
        function(as_json=as_json, quiet=quiet, **arguments)

    return prints_records(
        click.option("-q", "--quiet", is_flag=True, help="Print only the token's value.")(command)
    )
