"""`cave events`: the events of the metric log."""

from __future__ import annotations

import select
import sys
import time
from io import UnsupportedOperation
from typing import TYPE_CHECKING, Any

import click

from application.event_log.follow import FollowLog
from application.event_log.ports import (
    ErasedMetrics,
    Recorded,
    RecordedDescriptions,
    RecordedEvent,
    UnreadableMetrics,
)
from application.event_log.receipts import Receipt
from entrypoints.cli.options import example, on_the_log, prints_records
from entrypoints.cli.output import (
    iso_milliseconds,
    number,
    print_fields,
    print_json,
    print_line,
    print_table,
)
from entrypoints.cli.records import (
    EventRecord,
    RefusedRecord,
    UnreadableRecord,
    event_record,
)
from entrypoints.cli.values import WholeNumber

if TYPE_CHECKING:
    from application.use_cases import Commands

POLL_SECONDS = 0.25
LAST = 10


class ReceiptValue(click.ParamType[Receipt]):
    name = "receipt"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Receipt:
        try:
            return Receipt.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.group(epilog=example("cave events tail", "cave events show 3-1398788625000-0"))
def events() -> None:
    """Show the events of the metric log: the accepted batches, and descriptions of metrics."""


@events.command(
    epilog=example(
        "cave events tail --org gilt",
        "cave events tail -n 0 --json | jq .receipt",
        "cave events tail --from-start --no-follow --json > events.jsonl",
    )
)
@click.option("--org", "organization", metavar="ORG", help="Only events of this organization.")
@click.option(
    "-n",
    "--last",
    type=WholeNumber(min=0),
    default=LAST,
    show_default=True,
    help="The number of past events to start with.",
)
@click.option("--from-start", is_flag=True, help="Start with the first event of the log.")
@click.option("--no-follow", is_flag=True, help="Exit after the events now in the log.")
@prints_records
@on_the_log
def tail(
    commands: Commands,
    organization: str | None,
    last: int,
    *,
    from_start: bool,
    no_follow: bool,
    as_json: bool,
) -> None:
    """Print events as they are appended, until interrupted.

    Each line has an event's time, receipt, organization (and team), number of points and first
    point; or its descriptions of metrics and the first one. With --json each line is a whole event.
    """
    query = FollowLog(organization=organization, last=None if from_start else last)
    try:
        for recorded in commands.follow_log(query, _end if no_follow else _wait_for_more):
            _print_event(recorded, as_json=as_json)
    except KeyboardInterrupt:
        return


@events.command(
    epilog=example("cave events show 3-1398788625000-0", "cave events show RECEIPT --json")
)
@click.argument("receipt", type=ReceiptValue())
@prints_records
@on_the_log
def show(commands: Commands, receipt: Receipt, *, as_json: bool) -> None:
    """Show an event with all its points or descriptions.

    RECEIPT is the value of the header Cave-Receipt in the answer to a publish.
    """
    record = event_record(commands.metrics.get(receipt))
    if as_json:
        print_json(record)
        return
    print_fields(
        [
            ("receipt", record.receipt),
            ("time", record.time),
            ("organization", record.organization),
            ("team", record.team),
            ("token id", record.token_id),
            (
                "points" if isinstance(record, EventRecord) else "descriptions",
                str(record.count),
            ),
        ]
    )
    click.echo()
    if isinstance(record, EventRecord):
        print_table(
            ("name", "time", "value", "tags"),
            [(p.name, p.time, number(p.value), _tags(p.tags)) for p in record.points],
        )
        return
    print_table(
        ("name", "type", "unit", "temporality", "help"),
        [(d.name, d.type, d.unit, d.temporality, d.help) for d in record.descriptions],
    )


@events.command(
    epilog=example("cave events refused gilt", "cave events refused gilt --json | jq .reason")
)
@click.argument("organization", metavar="ORG")
@prints_records
@on_the_log
def refused(commands: Commands, organization: str, *, as_json: bool) -> None:
    """Show the last points of an organization that were refused, and why.

    Other agents' protocols, and JSON with ?partial=true, refuse points one by one while the rest of
    their body is stored. The last thousand refusals are kept, those for teams included.
    """
    commands.manage.look_ups.organization(organization)
    records = [RefusedRecord.of(kept) for kept in commands.refused_points.last(organization)]
    if as_json:
        for record in records:
            print_json(record)
        return
    print_table(
        ("time", "team", "protocol", "points", "reason", "place", "detail"),
        [
            (r.time, r.team or "", r.protocol, str(r.points), r.reason, r.place, r.detail)
            for r in records
        ],
    )


def _print_event(recorded: Recorded, *, as_json: bool) -> None:
    if isinstance(recorded, ErasedMetrics):
        recorded = UnreadableMetrics(recorded.receipt, "it was erased", recorded.digest)
    if isinstance(recorded, UnreadableMetrics):
        _print_unreadable(recorded, as_json=as_json)
        return
    if as_json:
        print_json(event_record(recorded))
        return
    event = recorded.event
    owner = event.organization if event.team is None else f"{event.organization}/{event.team}"
    count, things, preview = _preview(recorded)
    print_line(
        (iso_milliseconds(recorded.receipt.milliseconds), "dim"),
        "  ",
        (str(recorded.receipt), "cyan"),
        "  ",
        (owner, "bold"),
        f"  {count} {things}{'s' if count != 1 else ''}  ",
        preview if count == 1 else f"{preview} …",
    )


def _preview(recorded: RecordedEvent) -> tuple[int, str, str]:
    """Return how many things an event has, what each is called, and the first one in words."""
    if isinstance(recorded, RecordedDescriptions):
        descriptions = recorded.event.descriptions
        described = descriptions[0]
        words = (described.name, described.type, described.unit, described.temporality)
        return len(descriptions), "description", " ".join(filter(None, words))
    points = recorded.event.points
    first = next(points.points())
    preview = f"{first.name}={number(first.value)} {_tags(first.tags)}".rstrip()
    return len(points), "point", preview


def _print_unreadable(recorded: UnreadableMetrics, *, as_json: bool) -> None:
    if as_json:
        print_json(UnreadableRecord.of(recorded))
        return
    print_line(
        (iso_milliseconds(recorded.receipt.milliseconds), "dim"),
        "  ",
        (str(recorded.receipt), "cyan"),
        "  ",
        (f"cannot be read: {recorded.reason}", "red"),
    )


def _tags(tags: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in tags.items())


def _end() -> bool:
    return False


def _wait_for_more() -> bool:
    """Wait for POLL_SECONDS; return False immediately if nothing reads our output any more."""
    try:
        output = sys.stdout.fileno()
    except UnsupportedOperation:
        time.sleep(POLL_SECONDS)
        return True
    # Even when asked for no event, poll reports a pipe whose reader is gone: `… | head` ends when
    # head does, not at the next event.
    poll = select.poll()
    poll.register(output, 0)
    return not poll.poll(POLL_SECONDS * 1000)
