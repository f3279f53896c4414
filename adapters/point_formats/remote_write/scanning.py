"""The reader of version 1 that workers use: the scanner, and protobuf for what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from adapters.compiled_code import Loader
from adapters.point_formats.remote_write.version_1 import Version1Reader
from application.publishing.ports import BodyTerms, Decoded

if TYPE_CHECKING:
    from adapters.point_formats.remote_write.scanner import Scanner

SCAN_FROM = 2048
"""Minimum bytes of a body that is scanned. For smaller ones the call costs more than it saves."""


def scanners(max_points: int) -> Loader[Callable[[], Scanner]]:
    """Return what loads scanners of bodies of at most `max_points` points, one for each reader."""
    return Loader("scan remote write", partial(_load_scanners, max_points))


def _load_scanners(max_points: int) -> Callable[[], Scanner]:
    from adapters.point_formats.remote_write.scanner import Scanner  # here, since it needs NumPy

    Scanner(max_points)  # loads the code, which further ones share
    return partial(Scanner, max_points)


class ScanningReader:
    """Reads bodies, for one thread at a time. `scanners` is what the readers share."""

    def __init__(self, scanners: Loader[Callable[[], Scanner]]) -> None:
        self._scanners = scanners
        self._reader = Version1Reader()
        self._scanner: Scanner | None = None

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        if len(body) >= SCAN_FROM:
            if self._scanner is None and (new_scanner := self._scanners.get()) is not None:
                self._scanner = new_scanner()
            if self._scanner is not None:
                decoded = self._scanner.scan(body, terms)
                if decoded is not None:
                    return decoded
        return self._reader.read(body, terms)
