"""The library's recorders, on an `EventLog`.

`EventLog` documents their errors and their guarantees beyond the library's contract: an
originator's versions are consecutive, a call is atomic, notification ids are 1, 2, 3, …
"""

from collections.abc import Sequence
from threading import Event
from time import monotonic
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    Notification,
    ProcessRecorder,
    Recorder,
    StoredEvent,
    Tracking,
    TrackingRecorder,
    WaitInterruptedError,
)

from adapters.redis_streams.organizations.event_log import EventLog
from adapters.redis_streams.organizations.subscription import RedisSubscription

FIRST_POLL_SECONDS = 0.01
SLOWEST_POLL_SECONDS = 0.05


class RedisRecorder(Recorder):
    """A recorder on an event log."""

    def __init__(self, log: EventLog) -> None:
        self.log = log


class RedisAggregateRecorder(RedisRecorder, AggregateRecorder):
    """Records and selects the events of originators."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Record all events or none."""
        self.log.record(stored_events)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """Return an originator's events by version."""
        entries = self.log.select(originator_id, gt=gt, lte=lte, desc=desc, limit=limit)
        return [self.log.codec.stored_event(entry) for entry in entries]


class RedisApplicationRecorder(RedisAggregateRecorder, ApplicationRecorder):
    """Also records events as one sequence of notifications."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Record all events or none; return their notification ids."""
        return self.log.record(stored_events)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Return up to `limit` notifications of the topics; without topics, of all."""
        first = 1 if start is None else start + (not inclusive_of_start)
        entries = self.log.scan(first, stop, limit, topics)
        return [self.log.codec.notification(entry) for entry in entries]

    def max_notification_id(self) -> int | None:
        """Return the highest notification id, or None if nothing has been recorded."""
        return self.log.last_position()

    def wait_for_notification(self, gt: int, timeout: float) -> None:
        """Block on the server until there is a notification above `gt`, at most `timeout` seconds.

        Occupies a connection of the pool, so the timeout must be shorter than the pool's.
        """
        self.log.follow(self.log.datastore.client, gt, int(timeout * 1000))

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> RedisSubscription:
        """Return a subscription to the notifications after `gt`, from the first one if None.

        The subscriber must stop it; closing the factory does not.
        """
        return RedisSubscription(self, gt, topics)


class RedisTrackingRecorder(RedisRecorder, TrackingRecorder):
    """Records which notifications of upstream applications have been processed."""

    def insert_tracking(self, tracking: Tracking) -> None:
        """Advance the tracking of one upstream application; `IntegrityError` if it would not."""
        self.log.record((), tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the last notification id recorded for the application, or None."""
        return self.log.tracked(application_name)

    def wait(
        self,
        application_name: str,
        notification_id: int | None,
        timeout: float = 1.0,
        interrupt: Event | None = None,
    ) -> None:
        """Return once the notification has been processed, with a delay of 10 to 50 ms.

        Raises `TimeoutError` after `timeout` seconds, `WaitInterruptedError` once `interrupt` is
        set.
        """
        deadline = monotonic() + timeout
        interrupted = interrupt or Event()
        pause = FIRST_POLL_SECONDS
        while not self.has_tracking_id(application_name, notification_id):
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError(
                    f"Notification {notification_id} of {application_name} was not processed "
                    f"within {timeout} s"
                )
            if interrupted.wait(min(pause, left)):
                raise WaitInterruptedError
            pause = min(pause * 1.5, SLOWEST_POLL_SECONDS)


class RedisProcessRecorder(RedisTrackingRecorder, RedisApplicationRecorder, ProcessRecorder):
    """Records events together with the tracking of the notification that caused them."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        """Record all events and any `tracking`, or nothing; return the notification ids."""
        return self.log.record(stored_events, kwargs.get("tracking"))
