"""`cave org`: organizations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from application.organizations.register_organization import RegisterOrganization
from entrypoints.cli.issued import print_issued
from entrypoints.cli.options import example, on_the_log, prints_records, prints_token, roots
from entrypoints.cli.output import print_fields, print_json, print_table
from entrypoints.cli.records import (
    OrganizationDetails,
    OrganizationRecord,
    TokenIssuedRecord,
    TokenRecord,
)
from entrypoints.cli.token import print_tokens

if TYPE_CHECKING:
    from application.use_cases import Commands


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


@org.command(epilog=example("cave org show gilt"))
@click.argument("name")
@prints_records
@on_the_log
def show(commands: Commands, name: str, *, as_json: bool) -> None:
    """Show an organization, its teams and all its tokens."""
    organization = commands.manage.look_ups.organization(name)
    now = roots().clock()
    record = OrganizationRecord.of(organization, now)
    tokens = tuple(TokenRecord.of(name, token, now) for token in organization.tokens.values())
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
