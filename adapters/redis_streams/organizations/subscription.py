"""A subscription that blocks on the server instead of polling it."""

from collections import deque
from collections.abc import Sequence
from threading import Lock
from typing import TYPE_CHECKING

from eventsourcing.persistence import Notification, Subscription

from adapters.redis_streams.clients import disconnect
from adapters.redis_streams.organizations.event_log import encoded

if TYPE_CHECKING:
    from adapters.redis_streams.organizations.recorders import RedisApplicationRecorder

BLOCK_MILLISECONDS = 200
"""The longest that a read blocks on the server, and so the longest that a stop takes."""


class RedisSubscription(Subscription["RedisApplicationRecorder"]):
    """Yields notifications in order, then waits for new ones, until it is stopped.

    One thread iterates. Any thread may stop it, which ends a waiting `__next__` within
    `BLOCK_MILLISECONDS`. It has its own connection, opened by the first `__next__` and closed when
    stopped. Its position also advances over entries of other topics, so none is read twice.

    `__next__` raises `OperationalError` if the server cannot be read. It keeps the position: the
    next call reconnects and continues with the next notification.
    """

    def __init__(
        self, recorder: "RedisApplicationRecorder", gt: int | None, topics: Sequence[str]
    ) -> None:
        super().__init__(recorder=recorder, gt=gt, topics=topics)
        self._log = recorder.log
        self._position = max(gt or 0, 0)
        self._wanted = encoded(topics)
        self._ready: deque[Notification] = deque()
        self._client = self._log.datastore.dedicated_client(BLOCK_MILLISECONDS / 1000)
        self._reading = Lock()

    def stop(self) -> None:
        """Stop the subscription; notifications read but not yet yielded are dropped."""
        super().stop()
        self._close_unless_reading()

    def __next__(self) -> Notification:
        while not self._has_been_stopped:
            if self._ready:
                return self._ready.popleft()
            try:
                with self._reading:
                    self._read()
            finally:
                if self._has_been_stopped:
                    self._close_unless_reading()
        raise StopIteration

    def _read(self) -> None:
        entries = self._log.follow(self._client, self._position, BLOCK_MILLISECONDS)
        if entries:
            self._position = entries[-1].position
        self._ready.extend(
            self._log.codec.notification(entry)
            for entry in entries
            if not self._wanted or entry.fields[b"topic"] in self._wanted
        )

    def _close_unless_reading(self) -> None:
        # After its read, a reader checks whether it was stopped and closes the connection itself.
        # Not waiting for it also lets a finalizer stop the subscription in the reader's own thread.
        if self._reading.acquire(blocking=False):
            try:
                disconnect(self._client)
            finally:
                self._reading.release()
