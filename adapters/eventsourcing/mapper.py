"""Converting organization events to stored events and back: JSON under a stable topic name."""

from __future__ import annotations

from typing import Any

import msgspec
from eventsourcing.persistence import Mapper, MapperDeserialisationError, StoredEvent

from adapters.eventsourcing.topics import EVENT_TYPES, ORGANIZATION_TOPICS
from domain.events import OrganizationEvent

_encode = msgspec.json.Encoder().encode


class OrganizationMapper(Mapper[str]):
    """Selected by `MAPPER_TOPIC`; leaves compression and encryption to the library's settings.

    The stored state is the event as a JSON object, including its id and version, so that an entry
    of the log can be read by itself. Events stored by older releases are first upgraded to the
    current version of their topic.
    """

    event_types = EVENT_TYPES
    topics = ORGANIZATION_TOPICS

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        state = _encode(domain_event)
        if self.compressor:
            state = self.compressor.compress(state)
        if self.cipher:
            state = self.cipher.encrypt(state)
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=self._topic_of(type(domain_event)),
            state=state,
        )

    def to_domain_event(self, stored_event: StoredEvent) -> OrganizationEvent:
        """Raise MapperDeserialisationError, naming the event, if it cannot be read."""
        try:
            state = stored_event.state
            if self.cipher:
                state = self.cipher.decrypt(state)
            if self.compressor:
                state = self.compressor.decompress(state)
            name, members = self.topics.upcast(stored_event.topic, msgspec.json.decode(state))
            return msgspec.convert(members, self.event_types[name])
        except ValueError as error:
            raise MapperDeserialisationError(
                f"cannot read version {stored_event.originator_version} of "
                f"{stored_event.originator_id!r} (topic {stored_event.topic!r}): {error!r}"
            ) from error

    def _topic_of(self, event_type: type) -> str:
        name = next(name for name, known in self.event_types.items() if known is event_type)
        return self.topics.current(name)
