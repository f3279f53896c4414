"""The archive in memory fulfils the contract of the port."""

from __future__ import annotations

import pytest

from adapters.memory.archive import MemoryArchive, MemoryStore
from application.event_log.archive import Archive, OnStep, ignore_step
from tests.contracts.archive import ArchiveContract
from tests.contracts.archive_places import ArchivePlace, digest


class MemoryPlace(ArchivePlace):
    def __init__(self) -> None:
        self._store = MemoryStore()

    def open(self, on_step: OnStep = ignore_step) -> Archive:
        return MemoryArchive(digest, on_step, self._store)

    def remove(self, file: str) -> None:
        self._store.remove(file)


class TestMemoryArchive(ArchiveContract):
    @pytest.fixture
    def place(self) -> ArchivePlace:
        return MemoryPlace()
