"""What is wrong with the log, for readiness: read on demand, but never on the event loop."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from application.archiving.policy import ArchivePolicy
from application.archiving.status import LogStatus, LogStatusHandler
from application.errors import LogError
from application.looking import MAX_AGE, Look, Unknown

INTERVAL = 5.0
"""Seconds for which a result is reused."""

REFRESH_EVERY = 60.0
"""Seconds between two reads of the archive's manifest, which an object store charges for."""

MAX_SHARE = 0.1
PATIENCE = 1.0

OVERDUE = 3.0
"""An event that waits so many times as long as it should to be sealed causes a warning."""

NO_ARCHIVE = (
    "the log has no archive: its server keeps every event in memory and will fill; "
    "name a place that all hosts share with --archive"
)


class LogWatch:
    """Answers immediately, or after one short look shared by all callers. For one event loop."""

    def __init__(
        self,
        status: LogStatusHandler,
        policy: ArchivePolicy,
        *,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        self._status = status
        self._policy = policy
        self._refresh_due = float("-inf")
        self._look = Look(self._found, (LogError,), interval, MAX_SHARE, patience, MAX_AGE)

    async def status(self) -> LogStatus | Unknown:
        """Return the state of the log. Never raises."""
        return await self._look()

    async def warnings(self) -> Sequence[str]:
        """Return a sentence for everything that needs a person's attention. Never raises."""
        found = await self._look()
        if isinstance(found, Unknown):
            return [f"the state of the log is unknown: {found.reason}"]
        return list(self._warnings(found))

    def _found(self) -> LogStatus:
        due = monotonic() >= self._refresh_due
        status = self._status(refresh=due)
        if due:
            self._refresh_due = monotonic() + REFRESH_EVERY
        return status

    def _warnings(self, status: LogStatus) -> Sequence[str]:
        found = [str(p.gap) for p in status.partitions if p.gap is not None]
        if status.archive is None:
            return [*found, NO_ARCHIVE]
        state = status.archiver
        if state is not None and state.failing is not None:
            found.append(f"the archive {status.archive} fails: {state.failing}")
        waited = status.unsealed_seconds
        if waited > OVERDUE * self._policy.every:
            found.append(
                f"no event of the last {waited:,.0f} s was sealed in the archive {status.archive}"
            )
        return found
