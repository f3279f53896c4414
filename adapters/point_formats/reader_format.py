"""A format whose bodies one reader reads: small ones on the event loop, large ones in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from application.publishing.ports import BodyTerms, Decoded

MAX_ON_LOOP = 256 * 1024
"""Maximum bytes of a body that is read on the event loop; larger ones use a thread."""


class Reader(Protocol):
    """Reads bodies, for one thread at a time."""

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""


class ReaderFormat:
    """Implements the port PointFormat. `reader` makes a reader."""

    repeats = True

    def __init__(self, reader: Callable[[], Reader]) -> None:
        self._on_loop = reader()
        self._in_thread = reader()
        self._one_at_a_time = asyncio.Lock()

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:  # noqa: ARG002  always
        return True

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        if len(body) <= MAX_ON_LOOP:
            return self._on_loop.read(body, terms)
        async with self._one_at_a_time:
            return await asyncio.to_thread(self._in_thread.read, body, terms)
