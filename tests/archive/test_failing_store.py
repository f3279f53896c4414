"""A store that fails, now and then or for a while, costs time and no event."""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from adapters.archive.objects import DirectoryObjects
from application.errors import ArchiveUnavailable, LogError
from tests.archive.test_archiver import World, move_all

METHODS = ("put", "create", "get", "get_range", "stored", "delete")


def faulty(monkeypatch: pytest.MonkeyPatch, fault: Callable[[], None]) -> None:
    """Call `fault` before and after each call of the store: what failed may have been done."""
    for name in METHODS:
        method = getattr(DirectoryObjects, name)

        def call(self: DirectoryObjects, *arguments: Any, method: Any = method) -> Any:
            fault()
            result = method(self, *arguments)
            fault()
            return result

        monkeypatch.setattr(DirectoryObjects, name, call)


@pytest.fixture
def world(tmp_path: Path) -> Any:
    world = World(tmp_path / "archive")
    yield world
    world.close()


@pytest.mark.parametrize("seed", range(5))
def test_a_store_that_fails_half_of_its_calls_loses_and_doubles_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    source = random.Random(seed)
    failures = 0

    def fault() -> None:
        nonlocal failures
        if source.random() < 0.25:  # before and after: about half of the calls
            failures += 1
            raise ArchiveUnavailable("the store fails now and then")

    with monkeypatch.context() as patched:
        faulty(patched, fault)
        archiver = world.archiver()
        for _ in range(6):
            world.append(source.randrange(3), source.randrange(1, 40))
            for _ in range(40):
                with suppress(LogError):
                    move_all(archiver)
                if source.random() < 0.1:
                    archiver = world.archiver()
    assert failures
    world.check(world.reader())
    assert world.verify().damages == ()


def test_a_store_that_refuses_is_reported_and_used_again_once_it_works(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise ArchiveUnavailable("access denied")

    world.append(0, 10)
    with monkeypatch.context() as patched:
        faulty(patched, refuse)
        with pytest.raises(ArchiveUnavailable, match="access denied"):
            move_all(world.archiver())
    assert world.hot.extent(0).entries == 10, "nothing is trimmed"
    move_all(world.archiver())
    world.check(world.reader())


def test_a_full_disk_is_an_error_that_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(0, 10)
    world.archiver().seal_all(lambda done, total: None)
    files = {path for path in world.root.rglob("*") if path.is_file()}
    world.append(0, 10)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(ArchiveUnavailable, match="No space left"):
            world.archiver().seal_all(lambda done, total: None)
    assert {path for path in world.root.rglob("*") if path.is_file()} == files
    world.check()
    move_all(world.archiver())
    world.check(world.reader())


def test_a_slow_store_keeps_nobody_from_publishing_and_reading_what_is_on_the_server(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append(0, 10)
    faulty(monkeypatch, lambda: time.sleep(0.005))
    archiver = world.archiver()
    archiver.seal_all(lambda done, total: None)
    world.append(0, 10)
    found = world.hot.read(0, world.appended[0][9].receipt.position, 100)[1]
    assert list(found) == world.appended[0][10:]
    move_all(archiver)
    world.check(world.reader())
