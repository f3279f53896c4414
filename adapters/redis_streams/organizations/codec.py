"""The encoding of an event in an entry of the log.

An entry has four named fields: ``id``, the originator's id (UTF-8 text; a UUID with hyphens);
``version``, a decimal integer; ``topic``, UTF-8 text; ``state``, the bytes from the application's
mapper. Readers ignore any further fields.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple
from uuid import UUID

from eventsourcing.persistence import DataError, Notification, ProgrammingError, StoredEvent

OriginatorIdType = Literal["uuid", "text"]

MAX_VERSION = 2**53 - 1
"""The scores of a sorted set are doubles: above this, adjacent versions are indistinguishable."""


class Entry(NamedTuple):
    """An entry of the log: its notification id, and its fields."""

    position: int
    fields: Mapping[bytes, bytes]


class Codec:
    """Converts between the library's events and entries, for one type of originator id."""

    def __init__(self, originator_id_type: OriginatorIdType = "uuid") -> None:
        self._to_id: type[UUID | str] = UUID if originator_id_type == "uuid" else str

    def fields(self, event: StoredEvent) -> tuple[str, int, str, bytes]:
        """Return the values of the fields id, version, topic and state.

        Raises `ProgrammingError` for an id that could not be read back, and `DataError` for a
        version that cannot be stored.
        """
        if self._to_id is UUID and not isinstance(event.originator_id, UUID):
            raise ProgrammingError(
                f"Originator id {event.originator_id!r} is not a UUID: is ORIGINATOR_ID_TYPE right?"
            )
        if not 0 <= event.originator_version <= MAX_VERSION:
            raise DataError(f"Version {event.originator_version} is not in 0 … {MAX_VERSION}")
        return str(event.originator_id), event.originator_version, event.topic, event.state

    def stored_event(self, entry: Entry) -> StoredEvent:
        """Return the event in an entry."""
        fields = entry.fields
        return StoredEvent(
            originator_id=self._to_id(fields[b"id"].decode()),
            originator_version=int(fields[b"version"]),
            topic=fields[b"topic"].decode(),
            state=fields[b"state"],
        )

    def notification(self, entry: Entry) -> Notification:
        """Return the event in an entry, with its notification id."""
        fields = entry.fields
        return Notification(
            id=entry.position,
            originator_id=self._to_id(fields[b"id"].decode()),
            originator_version=int(fields[b"version"]),
            topic=fields[b"topic"].decode(),
            state=fields[b"state"],
        )
