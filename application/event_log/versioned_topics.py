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
    """A topic that was never registered, or whose version is newer than the current one."""


class VersionedTopics(Generic[State]):
    """The topics of one log. `State` is the stored form of an event, before it is an object."""

    def __init__(self) -> None:
        self._upcasts: dict[str, tuple[Upcast[State], ...]] = {}

    def register(self, name: str, *upcasts: Upcast[State]) -> None:
        """Register a topic's name with the steps from version 1 to 2, 2 to 3, and so on."""
        if name in self._upcasts:
            raise ValueError(f"the topic {name} is already registered")
        self._upcasts[name] = upcasts

    def current(self, name: str) -> str:
        """Return the topic with its current version, for writing. Raises UnknownTopic."""
        return f"{name}.v{self._current_version(name)}"

    def upcast(self, topic: str, state: State) -> tuple[str, State]:
        """Return a topic's name, and the state in its current version. Raises UnknownTopic."""
        name, version = _parsed(topic)
        if version > (current := self._current_version(name)):
            raise UnknownTopic(f"the topic {topic!r} is newer than {name}.v{current}")
        for step in self._upcasts[name][version - 1 :]:
            state = step(state)
        return name, state

    def _current_version(self, name: str) -> int:
        if name not in self._upcasts:
            raise UnknownTopic(f"the topic {name!r} is unknown")
        return len(self._upcasts[name]) + 1


@lru_cache(maxsize=64)
def _parsed(topic: str) -> tuple[str, int]:
    if not (match := _topic(topic)):
        raise UnknownTopic(f"the topic {topic!r} is unknown")
    return match[1], int(match[2])
