"""Archives in a directory, and on an S3 server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.archive import ObjectArchive, open_archive
from application.event_log.archive import OnStep, ignore_step
from tests.archive.support import CODEC
from tests.s3 import bucket, s3

__all__ = ["bucket", "s3"]

OpenArchive = Callable[..., ObjectArchive]


@pytest.fixture(params=["directory", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "directory":
        return str(tmp_path / "archive")
    found: str = request.getfixturevalue("bucket")
    return found


@pytest.fixture
def opened(place: str) -> Iterator[OpenArchive]:
    """Return a function that opens the test's archive; each call is another process's."""
    archives: list[ObjectArchive] = []

    def open_again(on_step: OnStep = ignore_step) -> ObjectArchive:
        archives.append(open_archive(place, CODEC.digest, on_step))
        return archives[-1]

    yield open_again
    for archive in archives:
        archive.close()
