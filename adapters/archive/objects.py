"""Objects: named bytes in a directory or an object store, durable once they are put."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from adapters.archive import durable_files
from application.errors import ArchiveUnavailable


class Stored(Struct, frozen=True, order=True):
    """An object that is there: its path, and when it was written (ms since the epoch)."""

    path: str
    written: int


class Objects(Protocol):
    """The objects of one place. Thread-safe; every method raises ArchiveUnavailable.

    Paths are relative, with slashes.
    """

    @property
    def url(self) -> str:
        """Where they are, for people; holds no secret."""

    def put(self, path: str, content: bytes) -> None:
        """Write an object, replacing any of that name, and return once it is durable."""

    def create(self, path: str, content: bytes) -> None:
        """Write an object unless there is one of that name. Some stores replace it even so."""

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return some of an object's bytes, fewer at its end, or None if there is no object."""

    def stored(self, directory: str) -> Sequence[Stored]:
        """Return all objects below a directory, by path."""

    def delete(self, path: str) -> None:
        """Delete an object, if it is there."""


class DirectoryObjects:
    """Implements Objects in a directory. Directories and files are readable by the owner only."""

    def __init__(self, root: Path) -> None:
        self.url = str(root)
        self._root = root

    def put(self, path: str, content: bytes) -> None:
        with self._translated(path):
            durable_files.write(self._root, path, content)

    def create(self, path: str, content: bytes) -> None:
        with self._translated(path):
            durable_files.create(self._root, path, content)

    def get(self, path: str) -> bytes | None:
        with self._translated(path):
            try:
                return (self._root / path).read_bytes()
            except FileNotFoundError:
                return None

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        with self._translated(path):
            try:
                with (self._root / path).open("rb", buffering=0) as file:
                    return os.pread(file.fileno(), length, start)
            except FileNotFoundError:
                return None

    def stored(self, directory: str) -> Sequence[Stored]:
        with self._translated(directory):
            return sorted(self._found(directory))

    def delete(self, path: str) -> None:
        with self._translated(path):
            durable_files.remove(self._root, path)

    def _found(self, directory: str) -> Iterator[Stored]:
        try:
            entries = list(os.scandir(self._root / directory))
        except FileNotFoundError:
            return
        for entry in entries:
            path = f"{directory}/{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from self._found(path)
            else:
                try:
                    written = entry.stat().st_mtime_ns
                except FileNotFoundError:  # deleted meanwhile
                    continue
                yield Stored(path, written // 1_000_000)

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            where = f"{self.url}/{path}"
            reason = error.strerror or str(error)
            raise ArchiveUnavailable(f"the archive fails at {where}: {reason}") from error


def open_objects(url: str) -> Objects:
    """Open a directory (a path or `file://`), or an object store (`s3://`, `gs://`, `az://`).

    A directory need not exist yet. Raises ValueError for a URL that is not understood.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
            raise ValueError(f"{url} does not name a directory of this machine: use file:///path")
        return DirectoryObjects(Path(unquote(parts.path)))
    if "://" not in url:
        return DirectoryObjects(Path(url).absolute())
    # Imported here, as a directory does not need it.
    from adapters.archive.object_store import open_store

    return open_store(url)
