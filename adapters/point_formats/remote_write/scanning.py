"""The reader of version 1 that workers use: the scanner, and protobuf for what it leaves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from adapters.compiled_code import NotCompiled
from adapters.point_formats.remote_write.version_1 import Version1Reader
from application.publishing.ports import BodyTerms, Decoded

if TYPE_CHECKING:
    from adapters.point_formats.remote_write.scanner import Scanner

SCAN_FROM = 2048
"""Minimum bytes of a body that is scanned. For smaller ones the call costs more than it saves."""

_log = structlog.get_logger(__name__)


class ScannerLoading:
    """Loads the scanner in a thread of its own, on the first call that asks for one."""

    def __init__(self, max_points: int) -> None:
        self._max_points = max_points
        self._scanner: type[Scanner] | None = None
        self.thread: threading.Thread | None = None

    def scanner(self) -> Scanner | None:
        """Return a new scanner for bodies of at most `max_points` points, None if not loaded."""
        if self._scanner is not None:
            return self._scanner(self._max_points)
        if self.thread is None:
            self.thread = threading.Thread(target=self.load, name="load scanner")
            self.thread.start()
        return None

    def load(self) -> None:
        """Load the scanner, unless it cannot be compiled here.

        Takes a tenth of a second, or five seconds if nothing is compiled yet.
        """
        try:
            from adapters.point_formats.remote_write.scanner import Scanner

            Scanner(self._max_points)
        except NotCompiled as error:
            _log.warning("remote write is read without the scanner", reason=str(error))
            return
        self._scanner = Scanner
        _log.info("large bodies of remote write are scanned from now on")


class ScanningReader:
    """Reads bodies, for one thread at a time."""

    def __init__(self, loading: ScannerLoading) -> None:
        self._loading = loading
        self._reader = Version1Reader()
        self._scanner: Scanner | None = None

    def read(self, body: bytes, terms: BodyTerms) -> Decoded:
        """Return the points. Raises MalformedBody, BodyTooLarge."""
        if len(body) >= SCAN_FROM:
            if self._scanner is None:
                self._scanner = self._loading.scanner()
            if self._scanner is not None:
                decoded = self._scanner.scan(body, terms)
                if decoded is not None:
                    return decoded
        return self._reader.read(body, terms)
