"""The archive of a log: one stream per partition, and the organizations'."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import msgspec
from msgspec import Struct

from adapters.archive.durable_files import PARTS
from adapters.archive.manifest import ROLL_UP, UNFINISHED, Manifest
from adapters.archive.objects import Objects, open_objects
from adapters.archive.segment_files import SegmentFiles
from adapters.archive.segments import Digest
from adapters.archive.stream import ObjectStream
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import OnStep, ignore_step

FORMAT = 1
IDENTITY = "archive.json"
ORGANIZATIONS = "organizations"
THREADS = 4
"""Threads that read and decode ahead, and that read several files of a manifest at once."""


class Identity(Struct, frozen=True):
    """The log that an archive belongs to: its id and its number of partitions."""

    format: int
    log: str
    partitions: int


class ObjectArchive:
    """Implements the port Archive. Close it after use.

    `digest` returns an entry's digest, `on_step` is called after each step of sealing, and
    `roll_up` is how many entries of a manifest are put into one file.
    """

    def __init__(
        self,
        objects: Objects,
        digest: Digest,
        on_step: OnStep = ignore_step,
        *,
        roll_up: int = ROLL_UP,
    ) -> None:
        self._objects = objects
        self._digest = digest
        self._on_step = on_step
        self._roll_up = roll_up
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")
        self._files = SegmentFiles(objects, self._threads)
        self._lock = Lock()
        self._streams: dict[str, ObjectStream] = {}

    def close(self) -> None:
        """End its threads."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    @property
    def url(self) -> str:
        return self._objects.url

    def claim(self, log: str, partitions: int) -> None:
        wanted = Identity(FORMAT, log, partitions)
        found = self._identity()
        if found is None:
            if self._objects.stored("manifest"):
                raise ArchiveDamaged(f"{self.url}/{IDENTITY} is missing, which names the log")
            self._objects.create(IDENTITY, msgspec.json.encode(wanted))
            found = self._identity()
        if found is None or (found.log, found.partitions) != (log, partitions):
            raise LogUnfit(f"{self.url} is the archive of another log: {found}")

    def identity(self) -> tuple[str, int] | None:
        found = self._identity()
        return None if found is None else (found.log, found.partitions)

    def partition(self, partition: int) -> ObjectStream:
        return self._stream(str(partition), partition)

    def organizations(self) -> ObjectStream:
        return self._stream(ORGANIZATIONS, 0)

    def sweep(self, before: int) -> Iterable[str]:
        written = {
            stored.path: stored.written
            for directory in ("segments", "manifest", PARTS)
            for stored in self._objects.stored(directory)
        }
        # The manifests are read after the lists: what is added meanwhile is in no list.
        kept = {
            path
            for path in written
            if path.startswith("manifest/") and not path.endswith(UNFINISHED)
        }
        for name in {path.split("/")[1] for path in written if not path.startswith(PARTS)}:
            stream = self._stream(name, int(name) if name.isdecimal() else 0)
            stream.refresh()
            kept.update(segment.file for segment in stream.segments())
            kept.difference_update(stream.stale())
        swept = sorted(path for path in written.keys() - kept if written[path] < before)
        for path in swept:
            self._objects.delete(path)
        return swept

    def _stream(self, name: str, partition: int) -> ObjectStream:
        with self._lock:
            if name not in self._streams:
                manifest = Manifest(
                    self._objects, name, partition, self._threads, self._on_step, self._roll_up
                )
                self._streams[name] = ObjectStream(
                    name,
                    partition,
                    self._objects,
                    manifest,
                    self._files,
                    self._digest,
                    self._on_step,
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
            raise LogUnfit(
                f"{self.url} has format {found.format}: this release reads up to format {FORMAT}"
            )
        return found


def open_archive(url: str, digest: Digest, on_step: OnStep = ignore_step) -> ObjectArchive:
    """Open the archive in a directory or an object store, which need not have one yet.

    Raises ValueError for a URL that is not understood.
    """
    return ObjectArchive(open_objects(url), digest, on_step)
