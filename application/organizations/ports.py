"""What the use cases of organizations need from outside. Each docstring is a contract."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from domain.events import OrganizationEvent
from domain.organization import Organization


class OrganizationRepository(Protocol):
    """Organizations by name, event-sourced. Thread-safe; every method may block on the log.

    Any method raises LogUnavailable (or LogFull, OutcomeUnknown) where the log cannot serve.
    """

    def find(self, name: str) -> Organization | None:
        """Return the organization as its events tell it now, or None."""

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        """Append the events, all or none, durably before it returns.

        Raises VersionConflict where an event's version is not the next one of its aggregate.
        """


class RecordedOrganizationEvent(Struct, frozen=True):
    """An organization's event and its position in the organizations' log (1, 2, 3, …)."""

    position: int
    event: OrganizationEvent


class OrganizationLog(Protocol):
    """The log of all organizations' events, in the order they were recorded.

    Used by one thread at a time.
    """

    def read(self, after: int, limit: int) -> Sequence[RecordedOrganizationEvent]:
        """Return at most `limit` events with positions above `after`, at once.

        Raises LogUnavailable.
        """

    def last_position(self) -> int:
        """Return the position of the last event, 0 while there is none; for any thread.

        Raises LogUnavailable.
        """

    def wait(self, after: int) -> None:
        """Block until there is an event above `after`, a quarter of a second at most.

        Raises LogUnavailable. Returning tells that the log answers, not that there is an event.
        """
