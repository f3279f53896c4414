"""Every place to keep an archive in fulfils the contract."""

from __future__ import annotations

import pytest

from tests.archive.places import ObjectsPlace
from tests.contracts.archive import ArchiveContract
from tests.contracts.archive_places import ArchivePlace


class TestDirectory(ArchiveContract):
    @pytest.fixture
    def place(self, directory_place: ObjectsPlace) -> ArchivePlace:
        return directory_place


class TestObjectStoreInMemory(ArchiveContract):
    @pytest.fixture
    def place(self, memory_place: ObjectsPlace) -> ArchivePlace:
        return memory_place


class TestS3(ArchiveContract):
    @pytest.fixture
    def place(self, s3_place: ObjectsPlace) -> ArchivePlace:
        return s3_place
