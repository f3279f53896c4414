"""The line protocol as a format of points.

Three readers follow one set of rules. The readable reader defines them; the quick one and, for
bodies of many points, the compiled scanner leave it what they do not know. Tests check that all
three agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from adapters.compiled_code import Loader
from adapters.point_formats.influx.precisions import Precisions, ToMilliseconds, precision_of
from adapters.point_formats.influx.quick import QuickReader
from application.errors import MalformedBody
from application.publishing.ports import BodyTerms, Decoded
from domain.errors import InvalidArgument
from domain.names import abbreviated

if TYPE_CHECKING:
    from adapters.point_formats.influx.scanner import LineScanner

SCAN_FROM = 2048
"""Minimum bytes of a body that is scanned. For smaller ones the call costs more than it saves."""

MAX_ON_LOOP = 256 * 1024
"""Maximum bytes of a body that is read on the event loop without the scanner."""


class LineReaders:
    """The readers that the versions of the API share. For one event loop.

    The scanner has room for `max_points` points.
    """

    def __init__(self, max_points: int, *, scan_from: int = SCAN_FROM) -> None:
        self._scan_from = scan_from
        self._quick = QuickReader()
        self.scanner = Loader("scan lines", partial(_new_scanner, max_points))

    async def read(self, body: bytes, terms: BodyTerms, to_milliseconds: ToMilliseconds) -> Decoded:
        """Return the points of a body. Raises BodyTooLarge."""
        if len(body) >= self._scan_from:
            scanner = self.scanner.get()
            scanned = None if scanner is None else scanner.scan(body, terms, to_milliseconds)
            if scanned is not None:
                return scanned
        if len(body) <= MAX_ON_LOOP:
            return self._quick.read(body, terms, to_milliseconds)
        # A reader is for one thread. A body of this size has no use for what others had.
        return await asyncio.to_thread(QuickReader().read, body, terms, to_milliseconds)


class InfluxFormat:
    """Implements the port PointFormat; `precisions` are those of a version of the API."""

    repeats = True

    def __init__(self, readers: LineReaders, precisions: Precisions) -> None:
        self.readers = readers
        self._precisions = precisions

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:
        return accepts_partial(parameters)

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        to_milliseconds = precision_of(terms.parameters, self._precisions)
        keeps_the_rest = accepts_partial(terms.parameters)
        decoded = await self.readers.read(body, terms, to_milliseconds)
        if decoded.refused and not keeps_the_rest:
            first = decoded.refused.first[0]
            raise MalformedBody(f"{first.place}: {first.detail}; nothing was stored")
        return decoded


def accepts_partial(parameters: Mapping[str, str]) -> bool:
    """Return whether the good lines of a body are to be stored without the bad ones.

    Raises InvalidArgument for a value that is neither `true` nor `false`, as InfluxDB 3 refuses it.
    """
    asked = parameters.get("accept_partial", "true")
    if asked not in ("true", "false"):
        raise InvalidArgument(
            f"accept_partial must be true or false, is {abbreviated(asked)}", "accept_partial"
        )
    return asked == "true"


def _new_scanner(max_points: int) -> LineScanner:
    from adapters.point_formats.influx.scanner import LineScanner  # here, since it needs NumPy

    return LineScanner(max_points)
