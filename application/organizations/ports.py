"""Ports of the use cases on organizations. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from domain.events import OrganizationEvent
from domain.organization import Organization


class OrganizationRepository(Protocol):
    """Organizations by name, event-sourced. Thread-safe; every method may block on the log.

    Every method raises LogUnavailable if the log cannot serve it.
    """

    def find(self, name: str) -> Organization | None:
        """Return the organization as of its last event, or None if it has no events."""

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        """Append the events atomically, and return once they are durable.

        Raises VersionConflict if an event's version is not the next one of its aggregate, and
        LogFull; nothing was written then. Raises OutcomeUnknown if the events may or may not have
        been written.
        """


class RecordedOrganizationEvent(Struct, frozen=True):
    """An organization's event and its position in the organizations' log (1, 2, 3, …)."""

    position: int
    event: OrganizationEvent


class OrganizationLog(Protocol):
    """The log of all organizations' events, in the order they were recorded.

    Used by one thread at a time, except `last_position`, which is thread-safe.
    """

    def read(self, after: int, limit: int) -> Sequence[RecordedOrganizationEvent]:
        """Return the first events above the position `after`, at most `limit`, without waiting.

        The result is empty only if there are none. Raises LogUnavailable.
        """

    def last_position(self) -> int:
        """Return the position of the last event, or 0 if there is none.

        Raises LogUnavailable.
        """

    def wait(self, after: int) -> None:
        """Block until there is an event above `after`, for a quarter of a second at most.

        A return means that the log answers, not that there is an event. Raises LogUnavailable.
        """
