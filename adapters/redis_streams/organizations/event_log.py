"""One application's events on a server: recording them, reading them, tracking.

The recorders and the subscription speak the library's language; this class speaks the server's.
"""

from collections.abc import Collection, Iterator, Sequence
from threading import local
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    InternalError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)

from adapters.redis_streams.clients import Client, server_name
from adapters.redis_streams.errors import ConnectionLostError, translated
from adapters.redis_streams.organizations.codec import Codec, Entry
from adapters.redis_streams.organizations.datastore import Datastore
from adapters.redis_streams.organizations.keys import Keys

MAX_EVENTS = 10_000
"""Events per call. The server is blocked during a call (some 100 ms), and a function that has begun
to write cannot be stopped."""

PAGE = 500
"""Entries per reply."""

MAX_POSITION = 2**63 - 1
"""The highest notification id that a reader or a tracking record may name."""


class _Followed(local):
    """The server that this thread has followed the log on, if it has."""

    server: str | None = None


class EventLog:
    """The events of one application and purpose.

    With `consecutive`, an originator's first version is 0 or 1 and each later version is one more
    than the previous; without it, versions come in any order, each once.

    Events of the topics in `when_full` are also recorded on a server that is out of memory, unless
    the call has events of others too. Each takes memory beyond the server's limit, so choose topics
    that are rare and that cannot wait.

    Every method raises `OperationalError` if the server cannot be reached or cannot do it now, and
    `ProgrammingError` if the keys hold something else or access is denied. Thread-safe.
    """

    def __init__(
        self,
        datastore: Datastore,
        keys: Keys,
        codec: Codec,
        *,
        consecutive: bool = True,
        when_full: Collection[str] = (),
    ) -> None:
        self.datastore = datastore
        self.keys = keys
        self.codec = codec
        self._rule = "consecutive" if consecutive else "any"
        self._when_full = frozenset(when_full)
        self._followed = _Followed()

    def record(self, events: Sequence[StoredEvent], tracking: Tracking | None = None) -> list[int]:
        """Append events and advance tracking atomically; return the events' notification ids.

        The ids are consecutive integers from 1 on, in the order of the events. If the connection is
        lost, the stored events are read once over a new one: exactly these events mean success,
        others at their versions a conflict. If there are none, or they cannot be read, the outcome
        is unknown, since a stalled server may still execute the call; raises `OperationalError`.
        It is unknown as well if fewer replicas have them in time than the datastore requires;
        raises `NotReplicatedError`.

        Raises `IntegrityError` if a version is taken or leaves a gap, or if tracking would not
        advance; nothing is stored then. Raises `ProgrammingError` for more than `MAX_EVENTS` events
        or an originator id that cannot be stored, and `DataError` for a number out of range.
        """
        if not events and tracking is None:
            return []
        keys, args = self._record_command(events, tracking)
        topics = {event.topic for event in events}
        urgent = bool(topics) and topics <= self._when_full
        try:
            first = self.datastore.record(keys, args, when_full=urgent)
        except ConnectionLostError as lost:
            found = self._settle(events, tracking, lost)
            self.datastore.confirm(self.keys.fence)
            return found
        return list(range(first, first + len(events)))

    def select(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Yield an originator's entries by version, fetching a page at a time.

        Raises `InternalError` if the index names an entry that the log does not have.
        """
        keys = [self.keys.index(originator_id), self.keys.log]
        low = "-inf" if gt is None else f"({gt}"
        high = "+inf" if lte is None else str(lte)
        order = "desc" if desc else "asc"
        left = limit
        while left is None or left > 0:
            count = PAGE if left is None else min(left, PAGE)
            page = self.datastore.select(keys, [low, high, order, count])
            for name, flat in page:
                entry = Entry(_position(name), dict(zip(flat[::2], flat[1::2], strict=True)))
                yield entry
            if len(page) < count:
                return
            if left is not None:
                left -= count
            beyond = f"({entry.fields[b'version'].decode()}"
            low, high = (low, beyond) if desc else (beyond, high)

    def scan(
        self, first: int, last: int | None, limit: int, topics: Sequence[str] = ()
    ) -> Iterator[Entry]:
        """Yield the entries from one notification id to another, in order, a page at a time.

        Without `last`, ends with the last entry recorded. With topics, entries of other topics are
        skipped and do not count towards the limit.
        """
        wanted = encoded(topics)
        start = max(first, 1)
        stop = MAX_POSITION if last is None else min(last, MAX_POSITION)
        left = limit
        while start <= stop and left > 0:
            count = PAGE if wanted else min(left, PAGE)
            with translated():
                client = self.datastore.client
                reply = client.xrange(self.keys.log, f"0-{start}", f"0-{stop}", count=count)
                if self._followed.server is not None:
                    self._look_at_server(client)
            page = _entries(reply)
            matches = [e for e in page if not wanted or e.fields[b"topic"] in wanted][:left]
            yield from matches
            if len(page) < count:
                return
            left -= len(matches)
            start = page[-1].position + 1

    def follow(self, client: Client, after: int, milliseconds: int) -> list[Entry]:
        """Return the next entries after a notification id, at most `PAGE` of them.

        Waits up to `milliseconds` for the first one; returns an empty list if none arrives. Use a
        dedicated client, since a waiting connection cannot serve anyone else.

        Raises `OperationalError` once if another server of a cluster has the log since this thread
        last called it, and so does `scan`: that one may not have what was read before.
        """
        with translated():
            reply: Any = client.xread({self.keys.log: f"0-{after}"}, PAGE, milliseconds)
            self._look_at_server(client)
        return _entries(reply[0][1]) if reply else []

    def _look_at_server(self, client: Client) -> None:
        name = server_name(client, self.keys.log)
        before, self._followed.server = self._followed.server, name
        if before not in {None, name}:
            raise OperationalError(f"the log is on {name} now, no longer on {before}")

    def last_position(self) -> int | None:
        """Return the highest notification id, or None if there is none."""
        with translated():
            newest = _entries(self.datastore.client.xrevrange(self.keys.log, count=1))
        return newest[0].position if newest else None

    def tracked(self, application_name: str) -> int | None:
        """Return the last notification id recorded for an upstream application, or None."""
        with translated():
            position = self.datastore.client.hget(self.keys.tracking, application_name)
        return None if position is None else int(position)

    def _record_command(
        self, events: Sequence[StoredEvent], tracking: Tracking | None
    ) -> tuple[list[str], list[str | bytes | int]]:
        if len(events) > MAX_EVENTS:
            raise ProgrammingError(f"{len(events)} events in one call exceed {MAX_EVENTS}")
        args: list[str | bytes | int] = [self._rule, "", ""]
        if tracking is not None:
            if not 0 <= tracking.notification_id <= MAX_POSITION:
                raise DataError(f"Tracking {tracking.notification_id} is not in 0 … {MAX_POSITION}")
            args[1:] = [tracking.application_name, tracking.notification_id]
        numbers = {self.keys.log: 1, self.keys.tracking: 2}
        for event in events:
            index = self.keys.index(event.originator_id)
            args.append(numbers.setdefault(index, len(numbers) + 1))
            args.extend(self.codec.fields(event))
        return list(numbers), args

    def _settle(
        self, events: Sequence[StoredEvent], tracking: Tracking | None, lost: ConnectionLostError
    ) -> list[int]:
        if events or tracking is None:
            return self._settle_events(events, lost)
        tracked = self.tracked(tracking.application_name)
        if tracked == tracking.notification_id:
            return []
        if tracked is None or tracked < tracking.notification_id:
            raise lost
        raise IntegrityError(f"Tracking of {tracking.application_name} is at {tracked}") from lost

    def _settle_events(self, events: Sequence[StoredEvent], lost: ConnectionLostError) -> list[int]:
        ours = [self.codec.fields(event) for event in events]
        versions: dict[str, list[int]] = {}
        for originator_id, version, _, _ in ours:
            versions.setdefault(originator_id, []).append(version)
        stored = {}
        for originator_id, numbers in versions.items():
            for entry in self.select(originator_id, gt=min(numbers) - 1, lte=max(numbers)):
                fields = self.codec.fields(self.codec.stored_event(entry))
                stored[fields[:2]] = entry.position, fields
        found = [stored[fields[:2]] for fields in ours if fields[:2] in stored]
        if not found:
            raise lost
        positions = [position for position, _ in found]
        one_call = positions == list(range(positions[0], positions[0] + len(ours)))
        if one_call and [fields for _, fields in found] == ours:
            return positions
        raise IntegrityError("Other events have been recorded at these versions") from lost


def encoded(topics: Sequence[str]) -> frozenset[bytes]:
    """Return topics as encoded in entries."""
    return frozenset(topic.encode() for topic in topics)


def _position(name: bytes) -> int:
    milliseconds, _, position = name.partition(b"-")
    if milliseconds != b"0":
        raise InternalError(f"Entry {name.decode()} of the log was not written by this module")
    return int(position)


def _entries(reply: Any) -> list[Entry]:
    return [Entry(_position(name), fields) for name, fields in reply]
