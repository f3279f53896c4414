"""The records that `cave log` prints with `--json`, and makes its tables of."""

from __future__ import annotations

from msgspec import Struct

from application.archiving.accept_loss import AcceptedLoss
from application.archiving.erase import Erased
from application.archiving.restore import Restored
from application.archiving.status import LogStatus, PartitionLog
from application.archiving.trimming import Trimmable
from application.archiving.verify import LogVerified
from application.event_log.receipts import Receipt
from entrypoints.cli.output import iso, iso_milliseconds


class TierRecord(Struct, frozen=True, kw_only=True):
    """One part of a partition's log: its events from `first` to `last`, both null without any."""

    first: str | None
    last: str | None
    events: int
    bytes: int


class PartitionLogRecord(Struct, frozen=True, kw_only=True):
    """A partition's log. `server` and `archive` may overlap; `chain` is in hexadecimal."""

    partition: int
    first: str | None
    last: str | None
    events: int
    archive: TierRecord
    segments: int
    server: TierRecord
    oldest_unsealed: str | None
    chain: str
    gap: str | None

    @classmethod
    def of(cls, status: PartitionLog) -> PartitionLogRecord:
        return cls(
            partition=status.partition,
            first=_text(status.first),
            last=_text(status.last),
            events=status.events,
            archive=TierRecord(
                first=_text(status.first) if status.archive_events else None,
                last=_text(status.archived_to),
                events=status.archive_events,
                bytes=status.archive_bytes,
            ),
            segments=status.segments,
            server=TierRecord(
                first=_text(status.server_from),
                last=_text(status.last) if status.server_events else None,
                events=status.server_events,
                bytes=status.server_bytes,
            ),
            oldest_unsealed=_text(status.oldest_unsealed),
            chain=status.chain.hex(),
            gap=None if status.gap is None else str(status.gap),
        )


class LogStatusRecord(Struct, frozen=True, kw_only=True):
    """The whole log. `failing` says why the archiver's last round failed, null if it did not."""

    archive: str | None
    organizations: int
    last_sealed: str | None
    unsealed_seconds: float
    failures: int
    failing: str | None
    partitions: tuple[PartitionLogRecord, ...]

    @classmethod
    def of(cls, status: LogStatus) -> LogStatusRecord:
        state = status.archiver
        return cls(
            archive=status.archive,
            organizations=status.organizations,
            last_sealed=None
            if status.last_sealed is None
            else iso_milliseconds(status.last_sealed),
            unsealed_seconds=status.unsealed_seconds,
            failures=0 if state is None else state.failures,
            failing=None if state is None else state.failing,
            partitions=tuple(map(PartitionLogRecord.of, status.partitions)),
        )


class LossRecord(Struct, frozen=True, kw_only=True):
    """An accepted loss: `events`, as far as known, between two places (exclusive)."""

    partition: int
    after: str | None
    before: str
    events: int

    @classmethod
    def of(cls, loss: AcceptedLoss) -> LossRecord:
        return cls(
            partition=loss.partition,
            after=_text(loss.after),
            before=str(loss.before),
            events=loss.events,
        )


class SealedRecord(Struct, frozen=True):
    """The number of events that were sealed."""

    events: int


class TrimmedRecord(Struct, frozen=True, kw_only=True):
    """Events of a partition that were, or with --dry-run would be, removed from the server."""

    partition: int
    first: str
    before: str
    events: int

    @classmethod
    def of(cls, what: Trimmable) -> TrimmedRecord:
        return cls(
            partition=what.partition,
            first=str(what.first),
            before=str(what.keep),
            events=what.entries,
        )


class DamageRecord(Struct, frozen=True):
    """Something wrong in a partition (its number) or in `organizations`."""

    stream: str
    first: str | None
    what: str


class LogVerifiedRecord(Struct, frozen=True, kw_only=True):
    """The result of a verification: events verified by tier, and what is wrong."""

    archived: int
    on_server: int
    seconds: float
    damages: tuple[DamageRecord, ...]

    @classmethod
    def of(cls, verified: LogVerified, seconds: float) -> LogVerifiedRecord:
        return cls(
            archived=verified.archived,
            on_server=verified.on_server,
            seconds=round(seconds, 3),
            damages=tuple(
                DamageRecord(damage.stream, _text(damage.first), damage.what)
                for damage in verified.damages
            ),
        )


class RestoredRecord(Struct, frozen=True, kw_only=True):
    """The result of a restore. `last` has the last event of each partition that has one."""

    log: str
    events: int
    organizations: int
    last: tuple[str, ...]

    @classmethod
    def of(cls, restored: Restored) -> RestoredRecord:
        return cls(
            log=restored.log,
            events=restored.events,
            organizations=restored.organizations,
            last=tuple(map(str, restored.last)),
        )


class ErasedRecord(Struct, frozen=True, kw_only=True):
    """An organization that was erased. `copies` are the dropped copies, `<projection> <label>`."""

    organization: str
    at: str
    events: int
    copies: tuple[str, ...]

    @classmethod
    def of(cls, name: str, erased: Erased) -> ErasedRecord:
        return cls(
            organization=name,
            at=iso(erased.at),
            events=erased.events,
            copies=tuple(f"{projection} {label}" for projection, label in erased.copies),
        )


def _text(receipt: Receipt | None) -> str | None:
    return None if receipt is None else str(receipt)
