"""How the projector competes with publishing for the processor: less, unless it is late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Priority(Protocol):
    """Runs the work of one process at the priority that its lag requires. Thread-safe."""

    def run(self, work: Callable[[], _T], late: float = 0.0) -> _T:
        """Run `work` in this thread or another one, wait, and return or raise what it does.

        `late` is by how many seconds the work is behind its plan, at least; it may be infinite.
        """


class InPlace:
    """Implements the port Priority for processes that have only one: runs work as it comes."""

    def run(self, work: Callable[[], _T], late: float = 0.0) -> _T:  # noqa: ARG002
        return work()
