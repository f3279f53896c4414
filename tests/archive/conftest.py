"""Places for archives: a directory, an object store in memory, and an S3 server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from obstore.store import MemoryStore

from adapters.archive.object_store import StoreObjects
from adapters.archive.objects import open_objects
from tests.archive.places import ObjectsPlace, Overwriting
from tests.s3 import bucket, s3

__all__ = ["bucket", "s3"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def directory_place(directory: Path) -> Iterator[ObjectsPlace]:
    place = ObjectsPlace(open_objects(str(directory)))
    yield place
    place.close()


@pytest.fixture
def memory_place() -> Iterator[ObjectsPlace]:
    """An object store in memory that overwrites objects although asked not to, as some do."""
    place = ObjectsPlace(Overwriting(StoreObjects(MemoryStore(), "memory")))
    yield place
    place.close()


@pytest.fixture
def s3_place(bucket: str) -> Iterator[ObjectsPlace]:
    place = ObjectsPlace(open_objects(bucket))
    yield place
    place.close()
