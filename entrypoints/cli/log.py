"""`cave log`: where the log's parts are; archiving, trimming, verifying and restoring it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from application.event_log.receipts import Receipt
from entrypoints.cli.events import ReceiptValue
from entrypoints.cli.log_records import (
    LogStatusRecord,
    LogVerifiedRecord,
    LossRecord,
    PartitionLogRecord,
    RestoredRecord,
    SealedRecord,
    TrimmedRecord,
)
from entrypoints.cli.options import (
    example,
    on_the_log_tools,
    prints_records,
    roots,
    takes_log_settings,
)
from entrypoints.cli.output import counted, print_fields, print_json, print_table, size
from entrypoints.cli.progress import shown_progress
from entrypoints.errors import CommandFailed
from entrypoints.settings import OFF, LogSettings

if TYPE_CHECKING:
    from application.archiving.archiver import Archiver
    from application.archiving.verify import VerifyProgress
    from application.use_cases import LogTools

NO_ARCHIVE = "the log has no archive; name one with --archive"


@click.group(
    epilog=example("cave log status", "cave log verify", "cave log archive --now", "cave log trim")
)
def log() -> None:
    """Look after the log, part of which is on the log server and part in the archive."""


@log.command(epilog=example("cave log status", "cave log status --json | jq .unsealed_seconds"))
@prints_records
@on_the_log_tools
def status(tools: LogTools, *, as_json: bool) -> None:
    """Show where the events of each partition are.

    Events are on the server, in the archive, or in both. The chain is the digest of all archived
    events of the partition, in order.
    """
    record = LogStatusRecord.of(tools.status())
    if as_json:
        print_json(record)
        return
    archived = sum(p.archive.bytes for p in record.partitions)
    print_fields(
        [
            ("archive", record.archive or "none"),
            ("last sealed", record.last_sealed),
            ("waiting", f"{record.unsealed_seconds:,.0f} s" if record.archive else None),
            ("in the archive", size(archived) if record.archive else None),
            ("in memory", size(sum(p.server.bytes for p in record.partitions))),
            ("organizations", f"{counted(record.organizations, 'event')} archived"),
            ("failing", record.failing),
        ]
    )
    used = [p for p in record.partitions if p.events or p.gap]
    if used:
        click.echo()
        print_table(
            ("partition", "events", "first", "last", "archive", "to", "server", "from", "chain"),
            [_row(p) for p in used],
        )
    if empty := len(record.partitions) - len(used):
        click.echo(f"{counted(empty, 'partition')} without events")
    for p in used:
        if p.gap is not None:
            click.echo(f"partition {p.partition}: {p.gap}")


@log.command(epilog=example("cave log archive", "cave log archive --now"))
@click.option("--now", is_flag=True, help="Seal everything, not only what is due.")
@prints_records
@on_the_log_tools
def archive(tools: LogTools, *, now: bool, as_json: bool) -> None:
    """Seal events in the archive: those that are due, or all.

    `cave serve` does so by itself. Nothing is removed from the server.
    """
    archiver = _archiver(tools)
    if now:
        with shown_progress("archive", "partitions", None) as advance:
            sealed = archiver.seal_all(lambda done, total: advance(done, total, 0))
    else:
        sealed = archiver.seal_due()
    if as_json:
        print_json(SealedRecord(sealed))
        return
    click.echo(f"{counted(sealed, 'event')} sealed")


@log.command(epilog=example("cave log trim --dry-run", "cave log trim"))
@click.option("--dry-run", is_flag=True, help="Show what would be removed, and remove nothing.")
@prints_records
@on_the_log_tools
def trim(tools: LogTools, *, dry_run: bool, as_json: bool) -> None:
    """Remove from the server what is in the archive and was read by every projection.

    `cave serve` does so by itself, by --hot-age and --hot-memory.
    """
    archiver = _archiver(tools)
    records = [TrimmedRecord.of(what) for what in archiver.trimmable()]
    trimmed = sum(record.events for record in records) if dry_run else archiver.trim_all()
    if as_json:
        print_json(*records)
        return
    if records:
        print_table(
            ("partition", "events", "from", "before"),
            [(str(r.partition), f"{r.events:,}", r.first, r.before) for r in records],
        )
    click.echo(f"{counted(trimmed, 'event')} {'would be trimmed' if dry_run else 'trimmed'}")


@log.command("accept-loss", epilog=example("cave log accept-loss", "cave log accept-loss --yes"))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@prints_records
@on_the_log_tools
def accept_loss(tools: LogTools, *, yes: bool, as_json: bool) -> None:
    """Accept that the events of every gap are lost, so that the log goes on behind it.

    The archive records each loss, as part of the chain. Without an archive, only the loss of the
    log's end, as by a failover, can be accepted. Bring the events back instead if you can:
    from a backup of the archive, or of the log server's file.
    """
    gaps = [(p.partition, p.gap) for p in tools.status().partitions if p.gap is not None]
    for _, gap in gaps:
        click.echo(str(gap), err=True)
    if gaps and not yes:
        click.confirm("Accept that these events are lost for ever?", abort=True, err=True)
    records = [LossRecord.of(tools.accept_loss(p, gap)) for p, gap in gaps]
    if as_json:
        print_json(*records)
        return
    click.echo(f"{counted(len(records), 'gap')} accepted")


@log.command(epilog=example("cave log verify", "cave log verify --from 3-1398788625000-0"))
@click.option(
    "--from",
    "since",
    type=ReceiptValue(),
    metavar="RECEIPT",
    help="Begin with the segment that has this event, and verify its partition only.",
)
@prints_records
@on_the_log_tools
def verify(tools: LogTools, since: Receipt | None, *, as_json: bool) -> None:
    """Verify every segment, the chain, and the seam between archive and server.

    The exit code is 0 if all is well, else 1, with the first event that is wrong and every damage.
    """
    began = time.monotonic()
    with shown_progress("verify", "events", None) as advance:

        def on_progress(progress: VerifyProgress) -> None:
            advance(progress.events, progress.total, 0)

        verified = tools.verify(since, on_progress)
    record = LogVerifiedRecord.of(verified, time.monotonic() - began)
    if as_json:
        print_json(record)
    elif not record.damages:
        click.echo(
            f"{counted(record.archived, 'event')} in the archive and {record.on_server:,} only on "
            f"the server verified in {record.seconds:.1f} s"
        )
    else:
        print_table(
            ("partition", "first event", "damage"),
            [(d.stream, d.first or "-", d.what) for d in record.damages],
        )
    if record.damages:
        first = record.damages[0]
        raise CommandFailed(
            f"the log is damaged: {counted(len(record.damages), 'damage')}, the first at "
            f"{first.first or 'an unknown event'} of {first.stream}: {first.what}"
        )


@log.command(
    epilog=example(
        "cave log restore --archive s3://bucket/cave --data-dir new-data",
        "cave log restore --archive /backup/archive --redis-url redis://new.internal:6379/0",
    )
)
@prints_records
@takes_log_settings
def restore(log: LogSettings, *, as_json: bool) -> None:
    """Restore a log on an empty server, from its archive alone.

    Organizations, teams and tokens are copied to the server. Events stay in the archive, where
    they are read; new ones follow the last one. What was not sealed is not restored.
    """
    if log.archive is None or log.archive == OFF:
        raise click.UsageError("--archive is required: the archive to restore from")
    with (
        roots().open_restore(log) as tools,
        shown_progress("restore", "partitions", None) as advance,
    ):
        restored = tools.restore(lambda done, total: advance(done, total, 0))
    record = RestoredRecord.of(restored)
    if as_json:
        print_json(record)
        return
    click.echo(
        f"log {record.log} restored: {counted(record.events, 'event')} in the archive, "
        f"{counted(record.organizations, 'event')} of organizations"
    )


def _archiver(tools: LogTools) -> Archiver:
    if tools.archiver is None:
        raise CommandFailed(NO_ARCHIVE)
    return tools.archiver


def _row(p: PartitionLogRecord) -> tuple[str, ...]:
    return (
        str(p.partition),
        f"{p.events:,}",
        p.first or "-",
        p.last or "-",
        f"{p.archive.events:,}",
        p.archive.last or "-",
        f"{p.server.events:,}",
        p.server.first or "-",
        p.chain[:12],
    )
