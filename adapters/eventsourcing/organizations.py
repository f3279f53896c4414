"""The organizations application: repository and log over one recorder."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Protocol, cast, runtime_checkable

from eventsourcing.application import Application
from eventsourcing.persistence import (
    IntegrityError,
    MapperDeserialisationError,
    OperationalError,
    PersistenceError,
    StoredEvent,
)

from adapters.eventsourcing.mapper import OrganizationMapper
from adapters.eventsourcing.topics import TOPICS_WHEN_FULL
from application.errors import LogFull, LogUnavailable, OutcomeUnknown, VersionConflict
from application.organizations.ports import RecordedOrganizationEvent
from domain.events import OrganizationEvent
from domain.organization import Organization, organization_id, project

WAIT_SECONDS = 0.25
POLL_SECONDS = 0.01
FULL = ("maxmemory", "No space left")
UNKNOWN = "the outcome is unknown"


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the library's errors to the application's."""
    try:
        yield
    except IntegrityError as error:
        raise VersionConflict(str(error)) from error
    except OperationalError as error:
        # The library has no errors for these: the words say which it is.
        if any(words in str(error) for words in FULL):
            raise LogFull(f"the event log is full: {error}") from error
        if str(error).startswith(UNKNOWN):
            raise OutcomeUnknown(str(error)) from error
        raise LogUnavailable(str(error)) from error
    except MapperDeserialisationError as error:
        raise LogUnavailable(str(error)) from error
    except PersistenceError as error:
        raise LogUnavailable(f"the organizations' log failed: {error}") from error


@runtime_checkable
class BlockingRecorder(Protocol):
    """A recorder that supports waiting without polling, as in `adapters.redis_streams`."""

    def wait_for_notification(self, gt: int, timeout: float) -> None:
        """Block until there is a notification above `gt`, for at most `timeout` seconds."""


class Organizations(Application[str]):
    """Implements the ports OrganizationRepository and OrganizationLog. Close it after use."""

    name = "organizations"
    env: ClassVar[dict[str, str]] = {
        "ORIGINATOR_ID_TYPE": "text",
        "MAPPER_TOPIC": f"{OrganizationMapper.__module__}:{OrganizationMapper.__qualname__}",
        "TOPICS_WHEN_FULL": ",".join(TOPICS_WHEN_FULL),
    }

    def find(self, name: str) -> Organization | None:
        with _translated():
            stored = self.recorder.select_events(organization_id(name))
            return project(None, map(self._to_event, stored))

    def save_events(self, events: Sequence[OrganizationEvent]) -> None:
        with _translated():
            self.save(*events)

    def read(self, after: int, limit: int) -> Sequence[RecordedOrganizationEvent]:
        with _translated():
            notifications = self.recorder.select_notifications(
                after, limit, inclusive_of_start=False
            )
            return [RecordedOrganizationEvent(n.id, self._to_event(n)) for n in notifications]

    def last_position(self) -> int:
        with _translated():
            return self.recorder.max_notification_id() or 0

    def wait(self, after: int) -> None:
        with _translated():
            if isinstance(self.recorder, BlockingRecorder):
                self.recorder.wait_for_notification(after, WAIT_SECONDS)
            elif self.last_position() <= after:
                time.sleep(POLL_SECONDS)

    def _to_event(self, stored: StoredEvent) -> OrganizationEvent:
        return cast("OrganizationMapper", self.mapper).to_domain_event(stored)
