"""`cave org`: organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click
from msgspec.structs import asdict

from application.organizations.register_organization import RegisterOrganization
from application.organizations.set_limits import SetLimits
from domain.limits import BURST_SECONDS, MAX_SERIES, OrganizationLimits
from entrypoints.cli.issued import print_issued
from entrypoints.cli.log import NO_ARCHIVE
from entrypoints.cli.log_records import ErasedRecord
from entrypoints.cli.options import (
    example,
    on_the_log,
    prints_records,
    prints_token,
    roots,
    takes_log_settings,
)
from entrypoints.cli.output import counted, print_fields, print_json, print_table
from entrypoints.cli.records import (
    LimitsRecord,
    OrganizationDetails,
    OrganizationRecord,
    TokenIssuedRecord,
    TokenRecord,
)
from entrypoints.cli.token import print_tokens
from entrypoints.cli.values import OrNone, Rate, WholeNumber
from entrypoints.errors import CommandFailed
from entrypoints.settings import LogSettings

if TYPE_CHECKING:
    from application.use_cases import Commands


Number = TypeVar("Number", int, float)


@click.group(epilog=example("cave org create gilt", "cave org list"))
def org() -> None:
    """Manage organizations, which own metrics."""


@org.command(
    epilog=example(
        "cave org create gilt --email ops@gilt.example",
        "TOKEN=$(cave org create gilt --quiet)",
    )
)
@click.argument("name")
@click.option("--email", help="The contact address of the organization.")
@click.option("--notification-url", help="The URL to post notifications to.")
@prints_token
@on_the_log
def create(
    commands: Commands,
    name: str,
    email: str | None,
    notification_url: str | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Create an organization and its first token.

    The token is described as `default` and may publish. Its value is shown only once.
    """
    organization, issued = commands.manage.register_organization(
        RegisterOrganization(name=name, email=email, notification_url=notification_url)
    )
    now = roots().clock()
    record = OrganizationRecord.of(organization, now)
    token = TokenRecord.of(name, issued.token, now)
    print_issued(
        TokenIssuedRecord(value=issued.value, token=token, organization=record),
        [
            ("organization", record.name),
            ("email", record.email),
            ("notification url", record.notification_url),
            ("created", record.created_at),
        ],
        as_json=as_json,
        quiet=quiet,
    )


@org.command("list", epilog=example("cave org list", "cave org list --json"))
@prints_records
@on_the_log
def list_(commands: Commands, *, as_json: bool) -> None:
    """List all organizations by name."""
    now = roots().clock()
    records = [
        OrganizationRecord.of(organization, now)
        for organization in commands.manage.look_ups.organizations()
    ]
    if as_json:
        print_json(*records)
        return
    print_table(
        ("name", "email", "created", "teams", "active tokens"),
        [
            (r.name, r.email or "-", r.created_at, str(len(r.teams)), str(r.active_tokens))
            for r in records
        ],
    )


@org.command(epilog=example("cave org erase gilt", "cave org erase gilt --yes --json"))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@prints_records
@takes_log_settings
def erase(log: LogSettings, name: str, *, yes: bool, as_json: bool) -> None:
    """Erase all metrics of an organization, and revoke its tokens.

    Its events are erased from the log and its archive, where their places and digests stay, so
    that the chain can still be verified. The projections are rebuilt without them, and copies that
    have them are dropped. This cannot be undone. If it is interrupted, run it again.
    """
    if not yes:
        click.confirm(f"Erase all metrics of {name} for ever?", abort=True, err=True)
    with roots().open_log_tools(log) as tools:
        if tools.erase is None:
            raise CommandFailed(NO_ARCHIVE)
        erased = tools.erase(name, lambda step: click.echo(f"erase: {step}", err=True))
    record = ErasedRecord.of(name, erased)
    if as_json:
        print_json(record)
        return
    click.echo(f"{name}: {counted(record.events, 'event')} erased at {record.at}")
    for copy in record.copies:
        click.echo(f"copy {copy} dropped")


@org.command(epilog=example("cave org show gilt"))
@click.argument("name")
@prints_records
@on_the_log
def show(commands: Commands, name: str, *, as_json: bool) -> None:
    """Show an organization, its teams and all its tokens."""
    organization = commands.manage.look_ups.organization(name)
    now = roots().clock()
    record = OrganizationRecord.of(organization, now)
    used = commands.token_uses(name, organization.tokens.values())
    tokens = tuple(
        TokenRecord.of(name, token, now, used.get(token.id))
        for token in organization.tokens.values()
    )
    if as_json:
        print_json(OrganizationDetails(**asdict(record), tokens=tokens))
        return
    print_fields(
        [
            ("organization", record.name),
            ("email", record.email),
            ("notification url", record.notification_url),
            ("created", record.created_at),
            ("teams", ", ".join(record.teams)),
        ]
    )
    click.echo()
    print_tokens(tokens)


@org.command(
    epilog=example(
        "cave org limits gilt",
        "cave org limits gilt --points-per-second 5000 --burst 100000",
        "cave org limits gilt --series 100000",
        "cave org limits gilt --series none",
        "cave org limits gilt --reset",
    )
)
@click.argument("name")
@click.option(
    "--points-per-second",
    type=OrNone(Rate()),
    help="How many points per second it may publish in the long term, over all workers and hosts.",
)
@click.option(
    "--burst",
    type=OrNone(WholeNumber(min=1)),
    help="How many points it may publish at once after a silence; by default those of "
    f"{BURST_SECONDS} seconds.",
)
@click.option(
    "--series",
    type=OrNone(WholeNumber(1, MAX_SERIES)),
    help="How many series may be active, today or yesterday (UTC).",
)
@click.option("--reset", is_flag=True, help="Remove its limits, except those given beside this.")
@prints_records
@on_the_log
def limits(
    commands: Commands,
    name: str,
    points_per_second: float | str | None,
    burst: int | str | None,
    series: int | str | None,
    *,
    reset: bool,
    as_json: bool,
) -> None:
    """Show or set an organization's own limits; `none` removes one.

    Where it has none, those of `cave serve` count. A change takes effect within a second.
    """
    manage = commands.manage
    own = manage.look_ups.organization(name).limits
    before = OrganizationLimits() if reset else own
    wanted = OrganizationLimits(
        points_per_second=_changed(before.points_per_second, points_per_second),
        burst=_changed(before.burst, burst),
        series=_changed(before.series, series),
    )
    if wanted != own:
        own = manage.set_limits(SetLimits(organization=name, limits=wanted)).limits
    record = LimitsRecord(
        name=name,
        points_per_second=own.points_per_second,
        burst=own.burst,
        series=own.series,
    )
    if as_json:
        print_json(record)
        return
    print_fields(
        [
            ("organization", name),
            ("points per second", _shown(own.points_per_second)),
            ("burst", _shown(own.burst)),
            ("active series", _shown(own.series)),
        ]
    )


def _changed(before: Number | None, given: Number | str | None) -> Number | None:
    """Return a limit after an option was given, or was not."""
    if given is None:
        return before
    return None if isinstance(given, str) else given


def _shown(limit: float | None) -> str:
    return "as cave serve has it" if limit is None else f"{limit:,g}"
