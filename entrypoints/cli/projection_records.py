"""The records that commands on projections print with `--json`, and make their tables of."""

from __future__ import annotations

from msgspec import Struct

from application.projections.overview import ProjectionOverview
from application.projections.ports import GenerationInfo, SetAside
from application.projections.status import PartitionStatus, State
from application.projections.verify import Difference, Verified
from entrypoints.cli.output import iso_milliseconds


class PartitionRecord(Struct, frozen=True, kw_only=True):
    """`position` is the receipt of the last event read, null before the first.

    `lag_events` is the number of events after it in the log; `lag_seconds` is how long ago the
    first of those was recorded, 0 if there are none.
    """

    partition: int
    position: str | None
    lag_events: int
    lag_seconds: float

    @classmethod
    def of(cls, status: PartitionStatus) -> PartitionRecord:
        return cls(
            partition=status.partition,
            position=None if status.position is None else str(status.position),
            lag_events=status.lag_events,
            lag_seconds=status.lag_seconds,
        )


class SetAsideRecord(Struct, frozen=True):
    """An event that a projection could not take, and why."""

    receipt: str
    reason: str

    @classmethod
    def of(cls, event: SetAside) -> SetAsideRecord:
        return cls(str(event.receipt), event.reason)


class BuildRecord(Struct, frozen=True, kw_only=True):
    """A copy (with `label`, and `until` if it is as of a time), or an unfinished rebuild."""

    generation: int
    version: int
    label: str | None
    until: str | None
    rows: int
    bytes: int

    @classmethod
    def of(cls, info: GenerationInfo) -> BuildRecord:
        generation = info.generation
        until = generation.until
        return cls(
            generation=generation.number,
            version=generation.version,
            label=generation.label,
            until=None if until is None else iso_milliseconds(until),
            rows=info.rows,
            bytes=info.bytes,
        )


class ProjectionRecord(Struct, frozen=True, kw_only=True):
    """A projection. `generation`, `version`, `rows` and so on are those of the live generation.

    `state` is `stopped` if it is no longer updated, for the given `reason`; `help` then says how to
    resume. `writers` names the processes that write it now: host, process id, and a random part.
    Lags are the largest `lag_seconds` and the sum of `lag_events` of the partitions.
    """

    name: str
    state: State
    reason: str | None
    help: str | None
    writers: tuple[str, ...]
    generation: int | None
    version: int
    rows: int
    bytes: int
    lag_events: int
    lag_seconds: float
    partitions: tuple[PartitionRecord, ...]
    set_aside: tuple[SetAsideRecord, ...]
    copies: tuple[BuildRecord, ...]
    rebuilds: tuple[BuildRecord, ...]

    @classmethod
    def of(cls, overview: ProjectionOverview, version: int) -> ProjectionRecord:
        """`version` is this release's, shown while there is no live generation."""
        status, live = overview.status, overview.live
        return cls(
            name=status.now.projection,
            state=status.now.state,
            reason=status.now.reason,
            help=status.now.help,
            writers=tuple(writer.name for writer in status.now.writers),
            generation=live.generation.number if live else None,
            version=live.generation.version if live else version,
            rows=live.rows if live else 0,
            bytes=live.bytes if live else 0,
            lag_events=status.lag_events,
            lag_seconds=status.lag_seconds,
            partitions=tuple(map(PartitionRecord.of, status.partitions)),
            set_aside=tuple(map(SetAsideRecord.of, live.set_aside)) if live else (),
            copies=tuple(map(BuildRecord.of, overview.copies)),
            rebuilds=tuple(map(BuildRecord.of, overview.rebuilds)),
        )


class ReplayedRecord(Struct, frozen=True, kw_only=True):
    """A finished replay: the events and points of this run, and its duration."""

    projection: str
    generation: int
    label: str | None
    until: str | None
    events: int
    points: int
    seconds: float


class DifferenceRecord(Struct, frozen=True):
    """An owner whose rows differ: their number in the live projection and in the replay."""

    organization: str
    team: str | None
    live: int
    replayed: int

    @classmethod
    def of(cls, difference: Difference) -> DifferenceRecord:
        return cls(
            difference.organization, difference.team or None, difference.live, difference.replayed
        )


class VerifiedRecord(Struct, frozen=True, kw_only=True):
    """The result of a verification; `set_aside` has events that only one of the two set aside."""

    projection: str
    agrees: bool
    digest: str
    rows: int
    differences: tuple[DifferenceRecord, ...]
    set_aside: tuple[SetAsideRecord, ...]

    @classmethod
    def of(cls, projection: str, verified: Verified) -> VerifiedRecord:
        return cls(
            projection=projection,
            agrees=verified.agrees,
            digest=verified.digest,
            rows=verified.rows,
            differences=tuple(map(DifferenceRecord.of, verified.differences)),
            set_aside=tuple(map(SetAsideRecord.of, verified.set_aside)),
        )
