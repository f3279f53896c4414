"""Objects: named bytes in a directory or an object store, durable once they are put.

obstore's LocalStore fsyncs nothing. So in a directory files are written here: fsynced before they
get their name, and every directory whose entries are new is fsynced as well.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from msgspec import Struct
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from application.errors import ArchiveUnavailable

RETRIES: Any = {
    "max_retries": 4,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
}
CLIENT: Any = {"timeout": "30s", "connect_timeout": "5s", "allow_http": True}
"""Plain HTTP is used only if the endpoint's URL says so."""


class Stored(Struct, frozen=True):
    """An object that is there: its path, bytes, and when it was written (ms since the epoch)."""

    path: str
    size: int
    written: int


UNFINISHED = ".part"
"""The end of the name of a file that is being written, or that a process died while writing."""


class Objects:
    """The objects below a URL or directory. Thread-safe; every method raises ArchiveUnavailable.

    Paths are relative, with slashes.
    """

    def __init__(self, store: ObjectStore, url: str, root: Path | None) -> None:
        self._store = store
        self._root = root
        self.url = url

    def put(self, path: str, content: bytes) -> None:
        """Write an object, replacing any of that name, and return once it is durable."""
        self._put(path, content, mode="overwrite")

    def create(self, path: str, content: bytes) -> bool:
        """Write an object unless there is one of that name; return whether it was written.

        Some stores replace it even so.
        """
        try:
            self._put(path, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, path: str) -> bytes | None:
        """Return an object's bytes, or None if there is none."""
        with _translated(self.url, path):
            try:
                return bytes(self._store.get(path).bytes())
            except FileNotFoundError:
                return None

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        """Return some of an object's bytes, fewer at its end, or None if there is no object."""
        with _translated(self.url, path):
            try:
                return bytes(self._store.get_range(path, start=start, length=length))
            except FileNotFoundError:
                return None
            except BaseError:
                # Stores refuse a range that begins behind the end.
                if self._store.head(path)["size"] > start:
                    raise
                return b""

    def stored(self, prefix: str) -> Sequence[Stored]:
        """Return all objects below a directory, by path."""
        with _translated(self.url, prefix):
            found = [
                Stored(meta["path"], meta["size"], int(_written(meta) * 1000))
                for page in self._store.list(prefix, chunk_size=1000)
                for meta in page
            ]
        return sorted(found, key=lambda stored: stored.path)

    def delete(self, path: str) -> None:
        """Delete an object, if it is there."""
        with _translated(self.url, path):
            try:
                self._store.delete(path)
            except FileNotFoundError:
                return
            if self._root is not None:
                _sync((self._root / path).parent)

    def _put(self, path: str, content: bytes, *, mode: Any) -> None:
        with _translated(self.url, path):
            if self._root is None:
                self._store.put(path, content, mode=mode, use_multipart=False)
                return
            file = self._root / path
            if mode == "create" and file.exists():
                raise AlreadyExistsError(path)
            made = self._missing_directories(path)
            _write(file, content)
            for directory in (file.parent, *made):
                _sync(directory)

    def _missing_directories(self, path: str) -> list[Path]:
        """Make the directories of a file; return those whose entries are then new."""
        if self._root is None:
            return []
        changed = []
        directory = (self._root / path).parent
        while not directory.exists():
            changed.append(directory.parent)
            directory = directory.parent
        (self._root / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return changed


def open_objects(url: str) -> Objects:
    """Open a directory (a path or `file://`), or an object store (`s3://`, `gs://`, `az://`).

    Credentials and endpoints are those of the usual variables, such as AWS_ACCESS_KEY_ID,
    AWS_ENDPOINT_URL and AWS_ALLOW_HTTP. Raises ValueError for another URL, ArchiveUnavailable.
    """
    parts = urlsplit(url)
    if parts.scheme in {"", "file"}:
        root = Path(unquote(parts.path) if parts.scheme else url).absolute()
        with _translated(str(root), ""):
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Objects(LocalStore(root), str(root), root)
    shown = urlunsplit((parts.scheme, parts.hostname or "", parts.path.rstrip("/"), "", ""))
    with _translated(shown, ""):
        try:
            store = from_url(url, retry_config=RETRIES, client_options=CLIENT)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{shown} is not the URL of an object store: {error}") from error
    return Objects(store, shown, None)


@contextmanager
def _translated(url: str, path: str) -> Iterator[None]:
    try:
        yield
    except (AlreadyExistsError, FileNotFoundError):
        raise
    except (BaseError, OSError) as error:
        reason = " ".join(str(error).split())[:500]
        where = f"{url}/{path}" if path else url
        raise ArchiveUnavailable(f"the archive's store fails at {where}: {reason}") from error


def _written(meta: Any) -> float:
    written: datetime = meta["last_modified"]
    return written.timestamp()


def _write(file: Path, content: bytes) -> None:
    """Write a file so that it has all of its bytes or is not there, whenever the machine dies."""
    unfinished = file.with_name(f".{file.name}.{token_hex(4)}{UNFINISHED}")
    fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
