"""`cave token`: access tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from application.organizations.issue_token import IssueToken
from application.organizations.revoke_token import RevokeToken
from domain.token import Scope
from entrypoints.cli.issued import print_issued
from entrypoints.cli.options import example, on_the_log, prints_records, prints_token, roots
from entrypoints.cli.output import print_json, print_table
from entrypoints.cli.records import TokenIssuedRecord, TokenRecord
from entrypoints.cli.values import Duration

if TYPE_CHECKING:
    from application.use_cases import Commands


@click.group(epilog=example("cave token issue gilt", "cave token list gilt"))
def token() -> None:
    """Manage access tokens of organizations and teams."""


@token.command(
    epilog=example(
        "cave token issue gilt --team web --description 'web servers' --expires-in 90d",
        "TOKEN=$(cave token issue gilt --scope publish --scope read --quiet)",
    )
)
@click.argument("organization")
@click.option("--team", help="Issue it to this team instead of the organization itself.")
@click.option("--description", default="", help="A note on the token's purpose.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.PUBLISH.value],
    show_default=True,
    help="What the token permits; repeat the option for several scopes.",
)
@click.option(
    "--expires-in",
    type=Duration(),
    help="Expire after this duration, such as 12h, 90d or 4w; never if not given.",
)
@prints_token
@on_the_log
def issue(
    commands: Commands,
    organization: str,
    team: str | None,
    description: str,
    scopes: tuple[str, ...],
    expires_in: timedelta | None,
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Issue a token. Its value is shown only once."""
    issued = commands.manage.issue_token(
        IssueToken(
            organization=organization,
            team=team,
            description=description,
            scopes=scopes,
            expires_in=expires_in,
        )
    )
    record = TokenRecord.of(organization, issued.token, roots().clock())
    print_issued(
        TokenIssuedRecord(value=issued.value, token=record),
        [("organization", organization), ("team", team)],
        as_json=as_json,
        quiet=quiet,
    )


@token.command(
    "list", epilog=example("cave token list gilt", "cave token list gilt --team web --json")
)
@click.argument("organization")
@click.option("--team", help="List this team's tokens instead of the organization's own.")
@prints_records
@on_the_log
def list_(commands: Commands, organization: str, team: str | None, *, as_json: bool) -> None:
    """List tokens, oldest first.

    A last use may be a minute old, and is shown for active tokens only. Values are not kept. `cave
    org show` lists the tokens of the teams as well.
    """
    now = roots().clock()
    tokens = commands.manage.look_ups.tokens(organization, team)
    used = commands.token_uses(organization, tokens)
    records = [TokenRecord.of(organization, token, now, used.get(token.id)) for token in tokens]
    if as_json:
        print_json(*records)
    else:
        print_tokens(records)


@token.command(epilog=example("cave token revoke gilt ID"))
@click.argument("organization")
@click.argument("token_id", metavar="ID")
@prints_records
@on_the_log
def revoke(commands: Commands, organization: str, token_id: str, *, as_json: bool) -> None:
    """Revoke a token of the organization or of one of its teams.

    All workers refuse it within a second. Even the last token can be revoked. Revoking a token
    again has no effect.
    """
    revoked = commands.manage.revoke_token(
        RevokeToken(organization=organization, token_id=token_id)
    )
    record = TokenRecord.of(organization, revoked, roots().clock())
    if as_json:
        print_json(record)
    else:
        click.echo(f"token {token_id} of organization {organization} is revoked")


def print_tokens(records: Sequence[TokenRecord]) -> None:
    """Print tokens as a table."""
    print_table(
        ("id", "team", "description", "scopes", "state", "created", "expires", "last used"),
        [
            (
                record.id,
                record.team or "-",
                record.description or "-",
                " ".join(record.scopes),
                record.state,
                record.created_at,
                record.expires_at or "never",
                record.last_used_at or "-",
            )
            for record in records
        ],
    )
