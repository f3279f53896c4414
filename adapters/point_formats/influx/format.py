"""The line protocol as a format of points."""

from __future__ import annotations

import asyncio

from adapters.point_formats.influx.precisions import Precisions, precision_of
from adapters.point_formats.influx.quick import QuickReader
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded

MAX_ON_LOOP = 256 * 1024
"""Maximum bytes of a body that is read on the event loop; larger ones use a thread."""


class InfluxFormat:
    """Implements the port PointFormat; `precisions` are those of a version of the API."""

    repeats = True

    def __init__(self, precisions: Precisions) -> None:
        self._precisions = precisions
        self._reader = QuickReader()

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        to_milliseconds = precision_of(terms.parameters, self._precisions)
        if len(body) <= MAX_ON_LOOP:
            decoded = self._reader.read(body, terms, to_milliseconds)
        else:
            # A reader is for one thread. A body of this size has no use for what others had.
            decoded = await asyncio.to_thread(QuickReader().read, body, terms, to_milliseconds)
        if decoded.refused and terms.parameters.get("accept_partial") == "false":
            first = decoded.refused.first[0]
            raise MalformedBody(f"{first.place}: {first.detail}; nothing was stored")
        return decoded
