"""The service's own JSON, as a format of points (contract, "Publish").

Three readers follow one set of rules. The careful reader defines them: it goes field by field and
says what is wrong. The quick reader and, for bodies of many points, the compiled scanner read most
bodies faster and give up on anything unusual. Tests check that all three agree.
"""

from __future__ import annotations

import asyncio
import threading
from codecs import BOM_UTF8
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import structlog

from adapters.compiled_code import NotCompiled
from adapters.point_formats.json.careful import read_carefully
from adapters.point_formats.json.quick import QuickReader, read_tag_set
from adapters.point_formats.json.timestamps import to_milliseconds
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Refusals
from domain.columns import CodedColumn
from domain.errors import InvalidArgument
from domain.metric_point import PointBatch, TagSet, batch_of
from domain.names import abbreviated, metric_name_fault

if TYPE_CHECKING:
    from adapters.point_formats.json.scanner import BodyScanner

SCAN_FROM = 2048
"""Minimum bytes of a body that is scanned. For smaller ones the call costs more than it saves."""

MAX_ON_LOOP = 256 * 1024
"""Maximum bytes of a body that is read carefully on the event loop; larger ones use a thread."""

_log = structlog.get_logger(__name__)


class JsonFormat:
    """Implements the port PointFormat. The scanner has room for `max_points` points."""

    repeats = False

    def __init__(self, max_points: int, *, scan_from: int = SCAN_FROM) -> None:
        self._capacity = max_points
        self._scan_from = scan_from
        self._quick = QuickReader()
        self.scanner: BodyScanner[TagSet] | None = None
        self.loading: threading.Thread | None = None

    def keeps_the_rest(self, parameters: Mapping[str, str]) -> bool:
        return is_partial(parameters)

    async def decode(self, body: bytes, terms: BodyTerms) -> Decoded:
        body = body.removeprefix(BOM_UTF8)
        batch = self.read_quickly(body, terms.latest, terms.max_points)
        if batch is not None:
            return Decoded(batch)
        refused = Refusals() if is_partial(terms.parameters) else None
        texts = takes_any_value(terms.parameters)
        read = partial(read_carefully, body, terms.latest, terms.max_points, refused, texts=texts)
        points = read() if len(body) <= MAX_ON_LOOP else await asyncio.to_thread(read)
        return Decoded(points, refused or None)

    def read_quickly(self, body: bytes, latest: int, max_points: int) -> PointBatch | None:
        """Return the batch from the faster readers, or None if they give up.

        Raises BodyTooLarge.
        """
        if len(body) >= self._scan_from:
            batch = self._scanned(body, latest)
            if batch is not None and len(batch) <= max_points:
                return batch
        return self._quick.read(body, latest, max_points)

    def _scanned(self, body: bytes, latest: int) -> PointBatch | None:
        if self.scanner is None:
            if self.loading is None:
                self.loading = threading.Thread(target=self.load_scanner, name="load scanner")
                self.loading.start()
            return None
        columns = self.scanner.scan(body)
        if columns is None:
            return None
        times = columns.timestamps
        milliseconds = CodedColumn([*map(to_milliseconds, times.table)], times.codes)
        return batch_of(
            columns.names, milliseconds, columns.values, columns.tag_sets, latest=latest
        )

    def load_scanner(self) -> None:
        """Use the scanner from now on, unless it cannot be compiled here.

        Takes a tenth of a second, or ten seconds if nothing is compiled yet. Unless this was called
        before, the first large body starts it in the background.
        """
        try:
            from adapters.point_formats.json.scanner import BodyScanner

            self.scanner = BodyScanner(self._capacity, _name_of, read_tag_set)
        except NotCompiled as error:
            _log.warning("large bodies are decoded without the scanner", reason=str(error))
            return
        _log.info("large bodies are scanned from now on")


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
