"""The archive of a log: one stream per partition, and the organizations'."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import msgspec
from msgspec import Struct

from adapters.archive.objects import Objects, open_objects
from adapters.archive.segments import Digest
from adapters.archive.stream import ObjectStream
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import OnStep, ignore_step

FORMAT = 1
IDENTITY = "archive.json"
ORGANIZATIONS = "organizations"
THREADS = 2


class Identity(Struct, frozen=True):
    """The log that an archive belongs to: its id and its number of partitions."""

    format: int
    log: str
    partitions: int


class ObjectArchive:
    """Implements the port Archive. Close it after use."""

    def __init__(self, objects: Objects, digest: Digest, on_step: OnStep = ignore_step) -> None:
        self._objects = objects
        self._digest = digest
        self._on_step = on_step
        self._ahead = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        self._lock = Lock()
        self._streams: dict[str, ObjectStream] = {}

    def close(self) -> None:
        """End its threads."""
        self._ahead.shutdown(wait=True, cancel_futures=True)

    @property
    def url(self) -> str:
        return self._objects.url

    def claim(self, log: str, partitions: int) -> None:
        wanted = Identity(FORMAT, log, partitions)
        found = self._identity()
        if found is None:
            self._objects.create(IDENTITY, msgspec.json.encode(wanted))
            found = self._identity()
        if found != wanted:
            raise LogUnfit(f"{self.url} is the archive of another log: {found}")

    def identity(self) -> tuple[str, int] | None:
        found = self._identity()
        return None if found is None else (found.log, found.partitions)

    def partition(self, partition: int) -> ObjectStream:
        return self._stream(str(partition), partition)

    def organizations(self) -> ObjectStream:
        return self._stream(ORGANIZATIONS, 0)

    def sweep(self, before: int) -> Iterable[str]:
        stored = self._objects.stored("segments")
        named: set[str] = set()
        for name in {file.path.split("/")[1] for file in stored}:
            stream = self._stream(name, int(name) if name.isdecimal() else 0)
            stream.refresh()
            named.update(segment.file for segment in stream.segments())
        swept = [f.path for f in stored if f.path not in named and f.written < before]
        for path in swept:
            self._objects.delete(path)
        return swept

    def _stream(self, name: str, partition: int) -> ObjectStream:
        with self._lock:
            if name not in self._streams:
                self._streams[name] = ObjectStream(
                    self._objects, name, partition, self._digest, self._on_step, self._ahead
                )
            return self._streams[name]

    def _identity(self) -> Identity | None:
        content = self._objects.get(IDENTITY)
        if content is None:
            return None
        try:
            found = msgspec.json.decode(content, type=Identity)
        except msgspec.MsgspecError as error:
            raise ArchiveDamaged(f"{self.url}/{IDENTITY} cannot be read: {error}") from error
        if found.format > FORMAT:
            raise LogUnfit(f"{self.url} has format {found.format}; this release reads {FORMAT}")
        return found


def open_archive(url: str, digest: Digest, on_step: OnStep = ignore_step) -> ObjectArchive:
    """Open the archive in a directory or an object store, which need not have one yet.

    Raises ValueError for a URL that is not understood, and ArchiveUnavailable.
    """
    return ObjectArchive(open_objects(url), digest, on_step)
