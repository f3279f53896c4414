"""What the projections need from their storage. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

from application.event_log.receipts import Receipt
from application.projections.folds import Projection, Rows


class Checkpoint(Struct, frozen=True):
    """How far a partition was read: the last event's position, and the digest of that event."""

    partition: int
    position: int
    digest: bytes


class SetAside(Struct, frozen=True):
    """An event that a projection could not take, and why."""

    receipt: Receipt
    reason: str


class Role(StrEnum):
    """What a generation is for.

    `live` is what readers see, at most one per projection. `building` becomes the live one or is
    dropped. `copy` is the state as of a time, kept under a label; `copying` is one that is being
    made, or was when its maker died, and has its label already. `retired` was live, and is removed
    when no query can be reading it any more.
    """

    LIVE = "live"
    BUILDING = "building"
    COPYING = "copying"
    COPY = "copy"
    RETIRED = "retired"


class Generation(Struct, frozen=True, kw_only=True):
    """One build of a projection. `number` counts from 1 within its projection.

    `version` is that of the projection when it was made; `label` and `until` (milliseconds since
    the epoch, exclusive) are set for a copy; `stopped` says why it is not written any more, if so.
    """

    projection: str
    number: int
    version: int
    role: Role
    label: str | None = None
    until: int | None = None
    stopped: str | None = None


class OwnerDigest(Struct, frozen=True):
    """The rows of one owner as a number that does not depend on their order, and their count."""

    rows: int
    digest: int


Owner = tuple[str, str]
"""Organization and team; the team is empty for the organization itself."""


class ProjectionStore(Protocol):
    """One generation, open for writing. One process at a time; used by one thread at a time.

    Every method raises StoreUnavailable or StoreFull where it cannot do its work now.
    """

    def checkpoints(self) -> Mapping[int, Checkpoint]:
        """Return the checkpoint of every partition that has one."""

    def commit(
        self, rows: Rows, set_aside: Sequence[SetAside], checkpoints: Sequence[Checkpoint]
    ) -> None:
        """Write all of it in one transaction; the checkpoints replace those of their partitions.

        Values are kept as they are, but for minus zero, which becomes zero.

        Raises RowsRefused, having written nothing, for rows that can never be written, and
        StoreUnavailable where another process moved the checkpoints meanwhile.
        """

    def set_aside(self) -> Sequence[SetAside]:
        """Return the events set aside, in log order."""

    def tidy(self) -> None:
        """Do the upkeep that is due: merge small files, drop what nobody can be reading."""


class GenerationInfo(Struct, frozen=True):
    """What a generation holds now. `bytes` counts its files on disk or in the object store."""

    generation: Generation
    checkpoints: Mapping[int, Checkpoint]
    rows: int
    bytes: int
    set_aside: Sequence[SetAside]


class LiveProgress(Struct, frozen=True):
    """A live generation, and how far it has read each partition that it has read at all."""

    generation: Generation
    positions: Mapping[int, int]


class LiveGenerations(Protocol):
    """The live generations as readers see them. Thread-safe; calls block, for a short time."""

    def live(self, projection: str) -> LiveProgress | None:
        """Return a projection's live generation, None while there is none.

        Raises StoreUnavailable.
        """


class ProjectionStores(Protocol):
    """All generations of all projections. Thread-safe.

    Every method raises StoreUnavailable where the stores cannot be reached.
    """

    def generations(self, projection: str) -> Sequence[Generation]:
        """Return all of a projection's generations in order of their numbers, retired ones too."""

    def create(
        self,
        projection: Projection,
        role: Role,
        *,
        label: str | None = None,
        until: int | None = None,
    ) -> Generation:
        """Make an empty generation. A live one is made only where there is none yet.

        Raises ProjectionBusy where the label, or the place of the live one, is taken.
        """

    def open(self, generation: Generation) -> AbstractContextManager[ProjectionStore]:
        """Open a generation for writing. Raises ProjectionBusy, ProjectionMissing."""

    def swap_in(self, generation: Generation) -> bool:
        """Make a generation that is being built the live one, in one transaction; retire the other.

        Returns False, having changed nothing, where the live one has read further in a partition,
        unless that one is stopped.
        """

    def keep(self, generation: Generation) -> Generation:
        """Make a copy that is complete one that is read by its label. Raises ProjectionMissing."""

    def stop(self, generation: Generation, reason: str | None) -> None:
        """Note why a generation is not written any more, or with None that it is."""

    def drop(self, generation: Generation) -> None:
        """Remove a generation and its files. Raises ProjectionBusy for the live one."""

    def drop_retired(self) -> None:
        """Remove the retired generations that no query can be reading any more."""

    def info(self, generation: Generation) -> GenerationInfo:
        """Return what a generation holds, read without disturbing its writer."""

    def digests(
        self, generation: Generation, up_to: Mapping[int, int] | None = None
    ) -> Mapping[Owner, OwnerDigest]:
        """Return a digest of each owner's rows, those up to a position per partition if given.

        A partition that `up_to` does not name counts as not read at all. Read without disturbing
        the writer, as `info`.
        """
