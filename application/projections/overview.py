"""Use case: the state and contents of all projections, for `cave projections`."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from application.clock import Clock
from application.event_log.ports import EntryLog
from application.projections.folds import PROJECTIONS, Projection
from application.projections.live import why_stopped
from application.projections.ports import GenerationInfo, ProjectionStores, Role
from application.projections.status import Lags, ProjectionState, ProjectionStatus


class ProjectionOverview(Struct, frozen=True):
    """A projection's status, its live generation, its copies, and its unfinished rebuilds."""

    status: ProjectionStatus
    live: GenerationInfo | None
    copies: tuple[GenerationInfo, ...]
    rebuilds: tuple[GenerationInfo, ...]


class ProjectionOverviewHandler:
    """Counts rows and bytes of all generations, which takes a while for large ones."""

    def __init__(self, stores: ProjectionStores, log: EntryLog, clock: Clock) -> None:
        self._stores = stores
        self._lags = Lags(log, clock)

    def __call__(self) -> Sequence[ProjectionOverview]:
        """Return the overview of every projection. Raises StoreUnavailable, LogUnavailable."""
        return [self._of(projection) for projection in PROJECTIONS]

    def _of(self, projection: Projection) -> ProjectionOverview:
        infos = [
            self._stores.info(generation)
            for generation in self._stores.generations(projection.name)
            if generation.role is not Role.RETIRED
        ]
        live = next((info for info in infos if info.generation.role is Role.LIVE), None)
        checkpoints = live.checkpoints if live else {}
        state = ProjectionState(
            projection=projection.name,
            generation=live.generation if live else None,
            positions={p: checkpoint.position for p, checkpoint in checkpoints.items()},
            reason=why_stopped(projection, live.generation) if live else None,
            writers=live.writers if live else (),
        )
        return ProjectionOverview(
            ProjectionStatus(state, self._lags(projection.name, state.positions)),
            live,
            copies=tuple(info for info in infos if info.generation.role is Role.COPY),
            rebuilds=tuple(info for info in infos if info.generation.role is Role.BUILDING),
        )
