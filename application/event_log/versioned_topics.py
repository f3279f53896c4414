"""Topics with versions: how events written by older releases are read.

A topic is a stable name and a version, as in `organization.team-created.v1`. Events are written
with the current version. Events of older versions are upgraded when they are read, step by step,
each step a pure function from the state of one version to that of the next. Stored events never
change.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Generic, TypeVar

State = TypeVar("State")
Upcast = Callable[[State], State]

_topic = re.compile(r"(.+)\.v([1-9]\d*)\Z", re.ASCII).match


class UnknownTopic(ValueError):
    """A topic that was never registered, or whose version is not one of those registered."""


class VersionedTopics(Generic[State]):
    """The topics of one log. `State` is the stored form of an event, before it is an object."""

    def __init__(self) -> None:
        self._topics: dict[str, tuple[int, tuple[Upcast[State], ...]]] = {}

    def register(self, name: str, *upcasts: Upcast[State], first: int = 1) -> None:
        """Register a topic's name with the steps from the first version to the next, and so on."""
        if name in self._topics:
            raise ValueError(f"the topic {name} is already registered")
        self._topics[name] = first, upcasts

    def current(self, name: str) -> str:
        """Return the topic with its current version, for writing. Raises UnknownTopic."""
        first, upcasts = self._registered(name)
        return f"{name}.v{first + len(upcasts)}"

    def upcast(self, topic: str, state: State) -> tuple[str, State]:
        """Return a topic's name, and the state in its current version. Raises UnknownTopic."""
        name, version = _parsed(topic)
        first, upcasts = self._registered(name)
        if version > first + len(upcasts):
            raise UnknownTopic(f"the topic {topic!r} is newer than {self.current(name)}")
        if version < first:
            raise UnknownTopic(f"the topic {topic!r} is older than {name}.v{first}")
        for step in upcasts[version - first :]:
            state = step(state)
        return name, state

    def _registered(self, name: str) -> tuple[int, tuple[Upcast[State], ...]]:
        if name not in self._topics:
            raise UnknownTopic(f"the topic {name!r} is unknown")
        return self._topics[name]


@lru_cache(maxsize=64)
def _parsed(topic: str) -> tuple[str, int]:
    if not (match := _topic(topic)):
        raise UnknownTopic(f"the topic {topic!r} is unknown")
    return match[1], int(match[2])
