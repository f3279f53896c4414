"""Looks: blocking reads of a state that many callers ask for, and that may be a moment old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from msgspec import Struct

MAX_AGE = 30.0
"""Seconds that a look may be overdue before its result counts as unknown."""

T = TypeVar("T")


class Unknown(Struct, frozen=True):
    """The state could not be determined; `reason` says why."""

    reason: str


class Look(Generic[T]):
    """A blocking call whose result is kept for a while; concurrent callers share one call.

    `failures` are the errors that make the result unknown. For one event loop.
    """

    def __init__(
        self,
        call: Callable[[], T],
        failures: tuple[type[Exception], ...],
        interval: float,
        max_share: float,
        patience: float,
        max_age: float,
    ) -> None:
        self._call = call
        self._failures = failures
        self._interval = interval
        self._max_share = max_share
        self._patience = patience
        self._max_age = max_age
        self._looking: asyncio.Task[None] | None = None
        self._found: T | Unknown = Unknown("it was not read yet")
        self._due = float("-inf")

    async def __call__(self) -> T | Unknown:
        if monotonic() >= self._due:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look())
            await asyncio.wait({self._looking}, timeout=self._patience)
            if monotonic() - self._due > self._max_age:
                return Unknown("the log or the projections' store does not answer in time")
        return self._found

    def at_hand(self) -> T | Unknown | None:
        """Return the result if it is recent enough to be returned without a look, else None."""
        return self._found if monotonic() < self._due else None

    async def _look(self) -> None:
        began = monotonic()
        pause = self._interval
        try:
            self._found = await asyncio.to_thread(self._call)
            pause = max(pause, (monotonic() - began) / self._max_share)
        except self._failures as error:
            self._found = Unknown(str(error))
        self._due = monotonic() + pause
