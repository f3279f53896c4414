"""Use case: erase an organization's metrics from the log, its archive and the projections."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from application.archiving.archiver import Archiver
from application.clock import Clock, milliseconds
from application.event_log.archive import Archive
from application.event_log.partitioning import partition_of
from application.organizations.deciding import change, existing
from application.organizations.ports import OrganizationRepository
from application.projections.folds import PROJECTIONS
from application.projections.ports import ProjectionStores, Role
from application.projections.replay import ReplayHandler, ReplayProgress
from application.publishing.refused_points import RefusedPoints
from application.usage.ports import UsageStore
from domain.organization import erase

REVOCATION_SECONDS = 2.0
"""Until every worker refuses a revoked token; a second is promised."""


class Erased(Struct, frozen=True, kw_only=True):
    """`at` is when the organization was erased, `events` how many of its events are erased now.

    `copies` has the projection and label of each copy that was dropped.
    """

    at: datetime
    events: int
    copies: tuple[tuple[str, str], ...]


def _ignore(progress: ReplayProgress) -> None:
    """Show no progress of a rebuild."""


class EraseOrganizationHandler:
    """Erases events in place: each keeps its position and its digest, so the chain still holds.

    Can be repeated, and has to be if it was interrupted.
    """

    def __init__(
        self,
        organizations: OrganizationRepository,
        archiver: Archiver,
        archive: Archive,
        stores: ProjectionStores,
        replay: ReplayHandler,
        refused_points: RefusedPoints,
        usage: UsageStore,
        clock: Clock,
        *,
        partitions: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._organizations = organizations
        self._archiver = archiver
        self._archive = archive
        self._stores = stores
        self._replay = replay
        self._refused_points = refused_points
        self._usage = usage
        self._clock = clock
        self._partitions = partitions
        self._sleep = sleep

    def __call__(self, name: str, say: Callable[[str], None]) -> Erased:
        """Erase the organization; `say` takes a sentence before each step.

        Raises UnknownOrganization, LogError and ProjectionError.
        """
        say("revoking its tokens")
        organization = change(
            self._organizations,
            name,
            lambda found: erase(existing(found, name), self._clock()),
        )
        self._sleep(REVOCATION_SECONDS)
        say("moving its events to the archive")
        partition = partition_of(name, self._partitions)
        self._archiver.move_all(partition)
        say("erasing them")
        self._refused_points.forget(name)
        self._usage.forget(name)
        stream = self._archive.partition(partition)
        now = milliseconds(self._clock)
        for segment in stream.segments():
            stream.rewrite(segment, name.encode(), now)
        copies = self._drop_copies(name)
        for projection in PROJECTIONS:
            say(f"rebuilding {projection.name} without them")
            self._replay.rebuild(projection, _ignore, restart=True)
        assert organization.erased_at is not None  # noqa: S101  the event says so
        return Erased(
            at=organization.erased_at,
            events=sum(segment.erased for segment in stream.segments()),
            copies=copies,
        )

    def _drop_copies(self, name: str) -> tuple[tuple[str, str], ...]:
        dropped = []
        for projection in PROJECTIONS:
            for generation in self._stores.generations(projection.name):
                if generation.role not in {Role.COPY, Role.COPYING}:
                    continue
                if any(owner == name for owner, _ in self._stores.digests(generation)):
                    self._stores.drop(generation)
                    dropped.append((projection.name, generation.label or ""))
        return tuple(dropped)
