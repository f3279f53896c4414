"""A full disk stops commits but loses nothing, and writing resumes once there is space."""

from __future__ import annotations

import os
import random
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

from adapters.ducklake.database import Location
from application.projections.errors import StoreFull
from application.projections.ports import ProjectionStore
from tests.contracts.metric_log import Point
from tests.contracts.projection_store import checkpoint, commit, recorded, some_points
from tests.ducklake.support import live_store

Filled = Callable[[Path], AbstractContextManager[None]]

LARGEST_FILE = 512 << 10


@contextmanager
def files_limited(root: Path) -> Iterator[None]:
    """Limit the size of this process's files to little more than the catalog needs."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def filled_up(root: Path) -> Iterator[None]:
    """Fill the file system of a directory to the last byte."""
    filler = root / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A separate file system of a few megabytes."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(tmp_path)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def one_day(count: int) -> list[Point]:
    """Return points that fill a file of a megabyte and more."""
    rng = random.Random(1)
    return [("a", rng.randrange(86_400_000), rng.random(), {}) for _ in range(count)]


def check_writing_resumes(root: Path, filled: Filled) -> None:
    first, second = recorded(0, 1), recorded(0, 2, one_day(200_000))
    with live_store(Location(root=root)) as (stores, live, store):
        commit(store, first)
        with filled(root):
            for _ in range(3):
                with pytest.raises(StoreFull, match="disk is full"):
                    commit(store, second)
        assert stores.info(live).rows == 1
        assert dict(store.checkpoints()) == {0: checkpoint(first)}
        commit(store, second)
        store.tidy()
        assert stores.info(live).rows == 200_001


def test_writing_resumes_after_files_could_not_grow(tmp_path: Path) -> None:
    check_writing_resumes(tmp_path, files_limited)


def test_writing_resumes_after_the_disk_was_full(small_disk: Path) -> None:
    check_writing_resumes(small_disk, filled_up)


@pytest.mark.slow
def test_a_full_disk_does_not_fill_up_further(small_disk: Path) -> None:
    """Files left by failed commits are removed, so that retries do not use up space."""
    with live_store(Location(root=small_disk)) as (stores, live, store):
        number = commit_until_full(store)
        assert number > 1
        assert stores.info(live).rows == 20_000 * number
        store._upkeep.delete_orphans(keep=0)
        assert commit_until_full(store, number) - number <= 1
        store._upkeep.delete_orphans(keep=0)
        known = store._connection.execute(
            "SELECT data_file FROM ducklake_list_files('lake', 'series')"
        ).fetchall()
        assert len(list(small_disk.glob("series-1/files/**/*.parquet"))) == len(known)


def commit_until_full(store: ProjectionStore, number: int = 0) -> int:
    """Return the number of the last event for which there was space."""
    while True:
        try:
            commit(store, recorded(0, number + 1, some_points(20_000, number + 1)))
        except StoreFull:
            return number
        number += 1
