"""The environment as a source of settings, and the `CAVE_*` variables in it that are not settings.

Kubernetes describes each service of a namespace to every pod by variables that begin with the
service's name, and so do Docker's links: a service called `cave` sets `CAVE_PORT` to an address
such as tcp://10.96.0.12:8000, and others such as `CAVE_SERVICE_HOST`, which are not settings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import click
import structlog

PREFIX = "CAVE_"

_is_address = re.compile(r"(tcp|udp|sctp)://\S+:\d+\Z", re.IGNORECASE).match
_describes_service = re.compile(
    r"_SERVICE_(HOST|PORT(_\w+)?)\Z|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?\Z"
).search

_log = structlog.get_logger(__name__)


class Setting(click.Option):
    """An option that can also be set by a variable, unless a platform set that variable."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        value = super().resolve_envvar_value(ctx)
        if value is None or is_platforms(str(self.envvar), value):
            return None
        return value


def is_platforms(variable: str, value: str) -> bool:
    """Return whether a platform set a variable to describe a service."""
    if _describes_service(variable):
        return True
    return variable.endswith("_PORT") and _is_address(value) is not None


def settings_of(command: click.Command) -> Iterator[str]:
    """Yield the variables that can set options of a command and its subcommands."""
    for parameter in command.params:
        if isinstance(parameter, Setting):
            yield str(parameter.envvar)
    if isinstance(command, click.Group):
        for child in command.commands.values():
            yield from settings_of(child)


def log_what_is_ignored(command: click.Command, environment: Mapping[str, str]) -> None:
    """Warn of each `CAVE_*` variable that has no effect on any part of `command`.

    Variables set by a platform are reported only if they have the name of a setting. Only their
    values are logged: others may be secret.
    """
    known = set(settings_of(command))
    for variable, value in sorted(environment.items()):
        details: dict[str, Any] = {"variable": variable}
        if not variable.startswith(PREFIX):
            continue
        if is_platforms(variable, value):
            if variable in known:
                _log.warning("variable set by the platform is ignored", value=value, **details)
        elif variable not in known:
            _log.warning("unknown variable is ignored", **details)
