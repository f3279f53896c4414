"""The projections' state, as a worker sees it: read on demand, but never on the event loop.

The projector is another process. Each worker reads the projections' positions from their store and
compares them with the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from application.errors import LogError
from application.looking import MAX_AGE, Look, Unknown
from application.projections.errors import ProjectionError
from application.projections.folds import Projection
from application.projections.status import (
    ProjectionState,
    ProjectionStatus,
    ProjectionStatuses,
    State,
)

INTERVAL = 1.0
"""Seconds for which a result is reused."""

MAX_SHARE = 0.1
"""Maximum share of the time spent on looks: one that takes long is repeated less often."""

PATIENCE = 1.0
"""Seconds that a caller waits for a look; after that it gets the previous result."""

FAILURES = (LogError, ProjectionError)

MAX_LAG_SECONDS = 60.0
"""A projection that lags by more than this causes a warning."""


class ProjectionWatch:
    """Answers immediately, or after one short look shared by all callers. For one event loop."""

    def __init__(
        self,
        status: ProjectionStatuses,
        *,
        interval: float = INTERVAL,
        max_share: float = MAX_SHARE,
        patience: float = PATIENCE,
        max_age: float = MAX_AGE,
    ) -> None:
        self._states = Look(status.states, FAILURES, interval, max_share, patience, max_age)
        self._statuses = Look(status, FAILURES, interval, max_share, patience, max_age)

    async def statuses(self) -> Sequence[ProjectionStatus] | Unknown:
        """Return the status of every projection. Never raises."""
        return await self._statuses()

    async def states(self) -> Mapping[str, State]:
        """Return the state of each projection by name; empty if it is unknown. Never raises."""
        found = await self._statuses()
        if isinstance(found, Unknown):
            return {}
        return {status.now.projection: status.now.state for status in found}

    async def warnings(self) -> Sequence[str]:
        """Return a sentence for each projection that is stopped or lags too much. Never raises."""
        found = await self._statuses()
        if isinstance(found, Unknown):
            return [f"the state of the projections is unknown: {found.reason}"]
        return [words for status in found if (words := _warning(status))]

    async def stale_since(self, *projections: Projection) -> int | None:
        """Return the time up to which these projections are current, if any of them is stopped.

        The time is that of the last event read by the one furthest behind, in ms since the epoch.
        Returns None if none is stopped, or if the state is unknown. Never raises.
        """
        found = await self._states()
        if isinstance(found, Unknown):
            return None
        return min((state.last_event for state in _stopped(found, projections)), default=None)

    def known_running(self, *projections: Projection) -> bool:
        """Return whether a recent look found none of these projections stopped. Never waits."""
        found = self._states.at_hand()
        if found is None or isinstance(found, Unknown):
            return False
        return not _stopped(found, projections)


def _stopped(
    states: Sequence[ProjectionState], projections: Sequence[Projection]
) -> list[ProjectionState]:
    names = {projection.name for projection in projections}
    return [s for s in states if s.state is State.STOPPED and s.projection in names]


def _warning(status: ProjectionStatus) -> str | None:
    state: ProjectionState = status.now
    if state.state is State.STOPPED:
        return f"the projection {state.projection} is stopped: {state.reason}; {state.help}"
    if status.lag_seconds > MAX_LAG_SECONDS:
        missing = ", which was not built yet," if state.state is State.MISSING else ""
        return (
            f"the projection {state.projection}{missing} is {status.lag_seconds:.0f} s behind the "
            f"log, by {status.lag_events:,} events"
        )
    return None
