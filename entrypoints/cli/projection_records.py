"""What the commands of the projections print with `--json`; the plain forms read the same."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.folds import Projection
from application.projections.live import rebuild_hint
from application.projections.ports import (
    Generation,
    GenerationInfo,
    ProjectionStores,
    Role,
    SetAside,
)
from application.projections.verify import Difference, Verified
from entrypoints.cli.output import iso_milliseconds

State = Literal["live", "stopped", "missing"]


class PartitionRecord(Struct, frozen=True, kw_only=True):
    """`position` is the receipt of the last event read, null before the first.

    `lag_events` counts what the log has above it; `lag_seconds` is how long ago the first of those
    was recorded, 0 where there is none.
    """

    partition: int
    position: str | None
    lag_events: int
    lag_seconds: float


class SetAsideRecord(Struct, frozen=True):
    """An event that a projection could not take, and why."""

    receipt: str
    reason: str

    @classmethod
    def of(cls, event: SetAside) -> SetAsideRecord:
        return cls(str(event.receipt), event.reason)


class BuildRecord(Struct, frozen=True, kw_only=True):
    """A copy (`label`, and `until` unless it is of when it was made), or an unfinished rebuild."""

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

    `state` is `stopped` where it is not written any more, for the `reason`; `help` says what a
    person can do then. Lags are the largest of the partitions' seconds and the sum of their events.
    """

    name: str
    state: State
    reason: str | None
    help: str | None
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


def projection_record(
    projection: Projection, stores: ProjectionStores, log: MetricLogReader, now: int
) -> ProjectionRecord:
    """Look at a projection; `now` in ms since the epoch. Raises what these ports raise."""
    infos = [
        stores.info(generation)
        for generation in stores.generations(projection.name)
        if generation.role is not Role.RETIRED
    ]
    live = next((info for info in infos if info.generation.role is Role.LIVE), None)
    reason = None if live is None else _why_stopped(projection, live.generation)
    state: State = "missing" if live is None else "stopped" if reason else "live"
    partitions = tuple(_partition(p, live, log, now) for p in range(log.entries.partitions()))
    return ProjectionRecord(
        name=projection.name,
        state=state,
        reason=reason,
        help=rebuild_hint(projection.name) if reason else None,
        generation=live.generation.number if live else None,
        version=live.generation.version if live else projection.version,
        rows=live.rows if live else 0,
        bytes=live.bytes if live else 0,
        lag_events=sum(partition.lag_events for partition in partitions),
        lag_seconds=max(partition.lag_seconds for partition in partitions),
        partitions=partitions,
        set_aside=tuple(map(SetAsideRecord.of, live.set_aside)) if live else (),
        copies=tuple(BuildRecord.of(i) for i in infos if i.generation.role is Role.COPY),
        rebuilds=tuple(BuildRecord.of(i) for i in infos if i.generation.role is Role.BUILDING),
    )


def _why_stopped(projection: Projection, live: Generation) -> str | None:
    if live.stopped is None and live.version != projection.version:
        return f"version {live.version} built it, this release has version {projection.version}"
    return live.stopped


def _partition(
    partition: int, live: GenerationInfo | None, log: MetricLogReader, now: int
) -> PartitionRecord:
    checkpoint = live.checkpoints.get(partition) if live else None
    position = checkpoint.position if checkpoint else 0
    unread = log.read(partition, position, 1)
    return PartitionRecord(
        partition=partition,
        position=str(Receipt.at(partition, position)) if checkpoint else None,
        lag_events=log.entries.count(partition, position),
        lag_seconds=max(now - unread[0].receipt.milliseconds, 0) / 1000 if unread else 0.0,
    )


class ReplayedRecord(Struct, frozen=True, kw_only=True):
    """A replay that is done: what was taken this time, and how long it took."""

    projection: str
    generation: int
    label: str | None
    until: str | None
    events: int
    points: int
    seconds: float


class DifferenceRecord(Struct, frozen=True):
    """An owner whose rows differ: their number in the live projection, and by the log."""

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
    """What a verification found; `set_aside` has the events that only one of the two set aside."""

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
