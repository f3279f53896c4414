"""Printing of records: as JSON, one object per line, or as tables, plain unless on a terminal.

Output to anything but a terminal is for programs to read, and is never wrapped or cut. Rich is
imported where it draws: `cave serve` draws nothing, and would keep 5 MB of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec
from msgspec import Struct

from entrypoints.cli.terminal import printable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")

_encode = msgspec.json.Encoder().encode


def iso(time: datetime) -> str:
    """Return an aware time as ISO 8601 in UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(time: datetime | None) -> str | None:
    """Return None for None."""
    return None if time is None else iso(time)


def iso_milliseconds(milliseconds: int) -> str:
    """Return milliseconds since the epoch as ISO 8601 in UTC."""
    return iso(EPOCH + timedelta(milliseconds=milliseconds))


def number(value: float | str) -> str:
    """Return a value as text, in full precision; whole numbers have no fraction.

    A value that already is text is returned unchanged.
    """
    return value if isinstance(value, str) else repr(value).removesuffix(".0")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, `1 point` or `12,000 points`."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


def size(count: int) -> str:
    """Return a number of bytes in the largest unit that fits."""
    amount, unit = float(count), 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount /= 1024
        unit += 1
    return f"{amount:.1f} {UNITS[unit]}" if unit else f"{count} B"


def print_json(*records: Struct) -> None:
    """Print each record as one line of JSON."""
    for record in records:
        click.echo(_encode(record))


def print_fields(fields: Iterable[tuple[str, str | None]]) -> None:
    """Print one record, one field per line; fields that are None or empty are left out."""
    present = [(name, value) for name, value in fields if value]
    width = max(len(name) for name, _ in present)
    for name, value in present:
        click.echo(f"{click.style(name.ljust(width), bold=True)}  {printable(value)}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under the columns' names."""
    rows = [[printable(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        _print_plain([columns, *rows])
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE, pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=place == 0)  # users copy it
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)


def _print_plain(rows: Sequence[Sequence[str]]) -> None:
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)
        )
        click.echo("  ".join(cells).rstrip())


def print_line(*parts: str | tuple[str, str]) -> None:
    """Print texts, or pairs of text and style, as one line; on a terminal styled and cut to fit."""
    from rich.console import Console
    from rich.text import Text

    styled = [(part, "") if isinstance(part, str) else part for part in parts]
    line = Text.assemble(*((printable(text), style) for text, style in styled))
    if sys.stdout.isatty():
        Console(highlight=False).print(line, no_wrap=True, overflow="ellipsis")
    else:
        click.echo(line.plain)
