"""Ports of the projections to their storage. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from application.projections.folds import Projection, Rows


class Checkpoint(Struct, frozen=True):
    """How far a partition was read: the position of the last event read, and its digest."""

    partition: int
    position: int
    digest: bytes


class SetAside(Struct, frozen=True):
    """An event that a projection could not store, and why."""

    receipt: Receipt
    reason: str


class Role(StrEnum):
    """The purpose of a generation.

    `live` is the one that queries read; there is at most one per projection. `building` is being
    built, to become the live one or be dropped. `copy` is the state as of a time, kept under a
    label. `copying` is an incomplete copy, which already has its label; its maker may have died.
    `retired` was live, and is removed once no query can be reading it any more.
    """

    LIVE = "live"
    BUILDING = "building"
    COPYING = "copying"
    COPY = "copy"
    RETIRED = "retired"


class Generation(Struct, frozen=True, kw_only=True):
    """One build of a projection. `number` counts from 1 within its projection.

    `version` is the projection's version that built it. `label` is set for a copy, and so is
    `until` (milliseconds since the epoch, exclusive) unless it was made as of now. `stopped` says
    why the generation is no longer written, and is None while it is.
    """

    projection: str
    number: int
    version: int
    role: Role
    label: str | None = None
    until: int | None = None
    stopped: str | None = None


class OwnerDigest(Struct, frozen=True):
    """The number of one owner's rows, and a digest of them that does not depend on their order."""

    rows: int
    digest: int


Owner = tuple[str, str]
"""Organization and team; the team is empty for the organization itself."""


class ProjectionStore(Protocol):
    """One generation, open for writing. Each partition is written by one process at a time.

    For one thread at a time. Every method may block. Every method but `writes` raises
    StoreUnavailable or StoreFull if it cannot do its work now, and ProjectionBusy once another
    process has taken its partitions over, because this one was paused or cut off; from then on it
    changes nothing, and has to be opened again.
    """

    def writes(self, partition: int) -> bool:
        """Return whether this process writes a partition. Only `balance` changes that."""

    def balance(self) -> bool:
        """Take and give up partitions as other processes come and go, at most once per second.

        Returns whether any has changed; then `checkpoints` have to be read again.
        """

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        """Return the checkpoint of every partition that this process writes and that has one."""

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        """Write everything in one transaction; checkpoints replace those of their partitions.

        Values are stored unchanged, bit for bit, except that minus zero becomes zero.

        Raises RowsRefused for rows that can never be stored, and StoreUnavailable if these
        partitions were written by somebody else since `checkpoints` were read. Nothing was written
        then.
        """

    def set_aside(self) -> Sequence[SetAside]:
        """Return all events that were set aside, in log order."""

    def tidy(self) -> None:
        """Do the maintenance that is due: merge small files, delete files that nobody reads."""


class Writer(Struct, frozen=True):
    """A process that writes a generation: its host, its id and a random part, joined by `-`.

    `here` is whether it runs on this host, on the same data directory.
    """

    name: str
    here: bool


class GenerationInfo(Struct, frozen=True):
    """The contents of a generation. `bytes` is the size of its files, on disk or in a bucket.

    `writers` is empty while nobody has it open.
    """

    generation: Generation
    checkpoints: Mapping[int, Checkpoint]
    rows: int
    bytes: int
    set_aside: Sequence[SetAside]
    writers: tuple[Writer, ...] = ()


class LiveProgress(Struct, frozen=True):
    """A live generation, and the position of the last event it has read, by partition.

    Partitions of which it has read nothing are left out. `writers` is empty while nobody has it
    open.
    """

    generation: Generation
    positions: Mapping[int, int]
    writers: tuple[Writer, ...] = ()


class LiveGenerations(Protocol):
    """The live generations, as queries see them. Thread-safe; calls block for a short time."""

    def live(self, projection: str) -> LiveProgress | None:
        """Return a projection's live generation, or None if there is none.

        Raises StoreUnavailable.
        """


class ProjectionStores(Protocol):
    """All generations of all projections. Thread-safe; calls block.

    Every method raises StoreUnavailable if the stores cannot be reached.
    """

    def generations(self, projection: str) -> Sequence[Generation]:
        """Return all generations of a projection, also retired ones, in order of their numbers."""

    def create(
        self,
        projection: Projection,
        role: Role,
        *,
        label: str | None = None,
        until: int | None = None,
    ) -> Generation:
        """Create an empty generation, with the next number of its projection.

        Numbers are never reused. Raises ProjectionBusy if there already is a generation with the
        label, or, for a live one, a live generation.
        """

    def open(self, generation: Generation) -> AbstractContextManager[ProjectionStore]:
        """Open all partitions of a generation for writing; leaving the context closes it.

        Raises ProjectionBusy while it is open elsewhere, ProjectionMissing if it was dropped. A
        process that is not heard of for the length of a lease no longer has it open.
        """

    def join(self, generation: Generation) -> AbstractContextManager[ProjectionStore]:
        """Open a part of the partitions for writing, which may be empty at first.

        The processes that have joined share out the partitions. Raises ProjectionBusy if as many
        processes have it open as may, and otherwise as `open`.
        """

    def swap_in(self, generation: Generation) -> bool:
        """Make a `building` generation the live one, and retire the old one, in one transaction.

        Changes nothing and returns False if the live one has read further in any partition, unless
        that one is stopped. Raises ProjectionMissing if the generation is not being built.
        """

    def keep(self, generation: Generation) -> Generation:
        """Turn a complete `copying` generation into a `copy`, which queries can read by its label.

        Returns it with its new role. Raises ProjectionMissing if it is not `copying`.
        """

    def stop(self, generation: Generation, reason: str | None) -> None:
        """Record why a generation is no longer written, or with None that it is written again."""

    def drop(self, generation: Generation) -> None:
        """Remove a generation and its files.

        Raises ProjectionBusy for the live one, and for one that is open elsewhere.
        """

    def drop_retired(self) -> None:
        """Remove all retired generations that no query can be reading any more."""

    def info(self, generation: Generation) -> GenerationInfo:
        """Return the contents of a generation, as of one commit. Does not disturb its writer."""

    def positions(self, generation: Generation) -> Mapping[int, int]:
        """Return the position of the last event read, by partition. Does not disturb the writer.

        Partitions of which nothing was read are left out.
        """

    def digests(
        self, generation: Generation, up_to: Mapping[int, int] | None = None
    ) -> Mapping[Owner, OwnerDigest]:
        """Return a digest of each owner's rows. Does not disturb the writer.

        With `up_to`, which maps partitions to positions, only rows of events up to these positions
        count; those of partitions it does not name are left out.
        """
