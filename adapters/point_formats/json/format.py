"""The service's own JSON, as a format of points (contract, "Publish").

Three readers follow one set of rules. The careful reader defines them: it goes field by field and
says what is wrong. The quick reader and, for bodies of many points, the compiled scanner read most
bodies faster and give up on anything unusual. Tests check that all three agree.
"""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from adapters.compiled_code import Loader
from adapters.point_formats.json.careful import read_carefully
from adapters.point_formats.json.quick import QuickReader, read_tag_set
from application.errors import BodyTooLarge
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Refusals
from domain.errors import InvalidArgument
from domain.metric_point import PointBatch
from domain.names import abbreviated, metric_name_fault

if TYPE_CHECKING:
    from adapters.point_formats.json.scanner import BodyScanner

SCAN_FROM = 512
"""Minimum bytes of bodies that are scanned. For fewer, the call costs more than it saves."""

SHARED_POINTS = 2000
"""Points that the scanner has room for besides those of one large body."""

MAX_ON_LOOP = 256 * 1024
"""Maximum bytes of a body that is read carefully on the event loop; larger ones use a thread."""


class JsonFormat:
    """Implements the port SharedFormat. A body may have `max_points` points."""

    repeats = False

    def __init__(self, max_points: int, *, scan_from: int = SCAN_FROM) -> None:
        self._scan_from = scan_from
        self._quick = QuickReader()
        self.scanner = Loader("scan JSON", partial(_new_scanner, max_points + SHARED_POINTS))

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:
        return is_partial(parameters)

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        # First, so that an invalid parameter is an error whatever the body is.
        refused = Refusals() if is_partial(terms.parameters) else None
        texts = takes_any_value(terms.parameters)
        body = body.removeprefix(BOM_UTF8)
        batch = self.read_quickly(body, terms.latest, terms.max_points)
        if batch is not None:
            return Decoded(batch)
        read = partial(read_carefully, body, terms.latest, terms.max_points, refused, texts=texts)
        points = read() if len(body) <= MAX_ON_LOOP else await asyncio.to_thread(read)
        return Decoded(points, refused or None)

    def decode_together(
        self, bodies: Sequence[bytes], terms: BodyTerms
    ) -> Sequence[PointBatch | None]:
        scanner = self._scanner(sum(map(len, bodies)))
        if scanner is not None:
            return scanner.scan(bodies, terms.latest, terms.max_points)
        return [self._decoded(body, terms) for body in bodies]

    def read_quickly(self, body: bytes, latest: int, max_points: int) -> PointBatch | None:
        """Return the batch from the faster readers, or None if they give up.

        Raises BodyTooLarge.
        """
        scanner = self._scanner(len(body))
        if scanner is not None:
            (batch,) = scanner.scan([body], latest, max_points)
            if batch is not None:
                return batch
        return self._quick.read(body, latest, max_points)

    def _decoded(self, body: bytes, terms: BodyTerms) -> PointBatch | None:
        try:
            return self._quick.read(body, terms.latest, terms.max_points) or None
        except BodyTooLarge:
            return None

    def _scanner(self, size: int) -> BodyScanner | None:
        """Return the scanner if bodies of so many bytes are to be scanned, and it is loaded."""
        return self.scanner.get() if size >= self._scan_from else None


def is_partial(parameters: Mapping[str, str]) -> bool:
    """Return whether the good points of a body are to be stored without the bad ones.

    Raises InvalidArgument for a value that is neither `true` nor `false`.
    """
    asked = parameters.get("partial", "false")
    if asked not in ("true", "false"):
        raise InvalidArgument(f"partial must be true or false, is {abbreviated(asked)}", "partial")
    return asked == "true"


def takes_any_value(parameters: Mapping[str, str]) -> bool:
    """Return whether values that are not finite are to be stored, written as texts.

    Raises InvalidArgument for a value that is neither `any` nor `finite`.
    """
    asked = parameters.get("values", "finite")
    if asked not in ("any", "finite"):
        raise InvalidArgument(f"values must be any or finite, is {abbreviated(asked)}", "values")
    return asked == "any"


def _name_of(raw: bytes) -> str | None:
    name = raw[1:-1].decode("ascii")
    return None if metric_name_fault(name) else name


def _new_scanner(capacity: int) -> BodyScanner:
    from adapters.point_formats.json.scanner import BodyScanner  # here, since it needs NumPy

    return BodyScanner(capacity, _name_of, read_tag_set)
