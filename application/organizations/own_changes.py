"""Read your own writes: a worker answers a change once its own token directory contains it.

Otherwise a client could be refused by the very worker that has just issued its token, during the
millisecond in which the directory lags behind the log.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from application.errors import LogError
from application.organizations.ports import OrganizationLog, OrganizationRepository
from application.organizations.token_directory import TokenDirectory
from domain.events import OrganizationEvent
from domain.organization import Organization

PATIENCE = 1.0
"""Seconds to wait at most. After that, success is reported anyway: the change is recorded."""

LOOK_EVERY = 0.001
"""Seconds between looks at the directory's position."""


class OwnChanges:
    """An OrganizationRepository whose `save_events` waits until the directory has caught up."""

    def __init__(
        self,
        organizations: OrganizationRepository,
        log: OrganizationLog,
        directory: TokenDirectory,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._organizations = organizations
        self._log = log
        self._directory = directory
        self._patience = patience

    def find(self, name: str) -> Organization | None:
        return self._organizations.find(name)

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        self._organizations.save_events(events)
        deadline = time.monotonic() + self._patience
        try:
            position = self._log.last_position()
        except LogError:
            return
        while self._directory.status.position < position and time.monotonic() < deadline:
            time.sleep(LOOK_EVERY)
