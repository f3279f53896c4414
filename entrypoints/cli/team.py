"""`cave team`: an organization's teams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from application.organizations.create_team import CreateTeam
from entrypoints.cli.issued import print_issued
from entrypoints.cli.options import example, on_the_log, prints_records, prints_token, roots
from entrypoints.cli.output import print_json, print_table
from entrypoints.cli.records import TeamRecord, TokenIssuedRecord, TokenRecord

if TYPE_CHECKING:
    from application.use_cases import Commands


@click.group(epilog=example("cave team create gilt web", "cave team list gilt"))
def team() -> None:
    """Manage teams of an organization, with their own metrics."""


@team.command(
    epilog=example("cave team create gilt web", "TOKEN=$(cave team create gilt web --quiet)")
)
@click.argument("organization")
@click.argument("name")
@prints_token
@on_the_log
def create(commands: Commands, organization: str, name: str, *, as_json: bool, quiet: bool) -> None:
    """Create a team and its first token.

    The token is described as `default` and may publish. Its value is shown only once.
    """
    owner, issued = commands.manage.create_team_with_token(
        CreateTeam(organization=organization, name=name)
    )
    now = roots().clock()
    record = TeamRecord.of(owner, owner.teams[name], now)
    token = TokenRecord.of(organization, issued.token, now)
    print_issued(
        TokenIssuedRecord(value=issued.value, token=token, team=record),
        [("organization", organization), ("team", name), ("created", record.created_at)],
        as_json=as_json,
        quiet=quiet,
    )


@team.command("list", epilog=example("cave team list gilt", "cave team list gilt --json"))
@click.argument("organization")
@prints_records
@on_the_log
def list_(commands: Commands, organization: str, *, as_json: bool) -> None:
    """List an organization's teams by name."""
    owner = commands.manage.look_ups.organization(organization)
    now = roots().clock()
    records = [TeamRecord.of(owner, team, now) for _, team in sorted(owner.teams.items())]
    if as_json:
        print_json(*records)
        return
    print_table(
        ("name", "created", "active tokens"),
        [(r.name, r.created_at, str(r.active_tokens)) for r in records],
    )
