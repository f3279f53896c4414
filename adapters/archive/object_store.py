"""Objects in an object store: S3, GCS, Azure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore, from_url

from adapters.archive.objects import Stored
from application.errors import ArchiveUnavailable

RETRIES: Any = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=8),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2)},
}
"""A request is not repeated later than 8 s after its first attempt."""

CLIENT: Any = {"connect_timeout": "3s", "timeout": "30s"}
"""A store that cannot be reached is an error within some 10 s; a request may take 30 s."""

MAX_REASON = 300


class StoreObjects:
    """Implements Objects in an object store."""

    def __init__(self, store: ObjectStore, url: str) -> None:
        self.url = url
        self._store = store

    def put(self, path: str, content: bytes) -> None:
        with self._translated(path):
            self._store.put(path, content, mode="overwrite", use_multipart=False)

    def create(self, path: str, content: bytes) -> None:
        with self._translated(path):
            try:
                self._store.put(path, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return

    def get(self, path: str) -> bytes | None:
        with self._translated(path):
            try:
                return bytes(self._store.get(path).bytes())
            except FileNotFoundError:
                return None

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        with self._translated(path):
            try:
                return bytes(self._store.get_range(path, start=start, length=length))
            except FileNotFoundError:
                return None
            except BaseError:
                # Stores refuse a range that begins behind the end.
                if start < self._store.head(path)["size"]:
                    raise
                return b""

    def stored(self, directory: str) -> Sequence[Stored]:
        with self._translated(directory):
            return sorted(
                Stored(meta["path"], _milliseconds(meta["last_modified"]))
                for page in self._store.list(directory, chunk_size=1000)
                for meta in page
            )

    def delete(self, path: str) -> None:
        with self._translated(path):
            try:
                self._store.delete(path)
            except FileNotFoundError:
                return

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as error:
            raise self._unavailable(path, error) from error

    def _unavailable(self, path: str, error: Exception) -> ArchiveUnavailable:
        where = f"the archive fails at {self.url}/{path}"
        # What follows repeats the message as a data structure.
        reason = " ".join(str(error).partition("Debug source:")[0].split())[:MAX_REASON]
        if isinstance(error, PermissionDeniedError | UnauthenticatedError):
            return ArchiveUnavailable(f"{where}: access is denied: {reason}")
        return ArchiveUnavailable(f"{where}: {reason}")


def open_store(url: str) -> StoreObjects:
    """Open the store at a URL such as `s3://bucket/prefix`.

    Credentials and the endpoint are those of the usual variables, such as AWS_ACCESS_KEY_ID and
    AWS_ENDPOINT_URL. Raises ValueError for a URL that is not understood.
    """
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.hostname or ''}{parts.path.rstrip('/')}"
    # Plain HTTP is used only if the endpoint's URL says so.
    client: Any = {**CLIENT, "allow_http": True}
    try:
        store = from_url(url, retry_config=RETRIES, client_options=client)
    except (BaseError, ValueError, TypeError) as error:
        reason = str(error).partition("Debug source:")[0].strip()
        raise ValueError(f"{shown} is not an object store that can be used: {reason}") from error
    return StoreObjects(store, shown)


def _milliseconds(time: datetime) -> int:
    return int(time.timestamp() * 1000)
