"""Printing of a newly issued token: the only time that its value is shown."""

from __future__ import annotations

from collections.abc import Sequence

import click

from domain.token import Scope
from entrypoints.cli.options import DEFAULT_HOST, DEFAULT_PORT
from entrypoints.cli.output import print_fields, print_json
from entrypoints.cli.records import TokenIssuedRecord


def print_issued(
    record: TokenIssuedRecord,
    heading: Sequence[tuple[str, str | None]],
    *,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print the record in one of three forms; `heading` is the start of the readable one."""
    if quiet:
        click.echo(record.value)
        return
    if as_json:
        print_json(record)
        return
    token = record.token
    print_fields(
        [
            *heading,
            ("token", record.value),
            ("token id", token.id),
            ("scopes", " ".join(token.scopes)),
            ("description", token.description),
            ("expires", token.expires_at),
        ]
    )
    click.echo("\nThe token is shown only once.", nl=False)
    if Scope.PUBLISH in token.scopes:
        click.echo(" To publish with it:\n")
        click.echo(curl_line(record), nl=False)
    click.echo()


def curl_line(record: TokenIssuedRecord) -> str:
    """Return a shell command that publishes one point."""
    token = record.token
    path = f"/organizations/{token.organization}"
    if token.team is not None:
        path += f"/teams/{token.team}"
    point = '{"name":"demo.clicks","timestamp":\'$(date +%s)\',"value":1,"tags":{"host":"web1"}}'
    return (
        f"  curl -i -u {record.value}: -H 'Content-Type: application/json' \\\n"
        f"    -d '{{\"metrics\":[{point}]}}' \\\n"
        f"    http://{DEFAULT_HOST}:{DEFAULT_PORT}{path}/metrics"
    )
