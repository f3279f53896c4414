"""Places to keep archives in, some of which misbehave."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.archive import ObjectArchive
from adapters.archive.objects import Objects, Stored
from application.event_log.archive import OnStep, ignore_step
from tests.contracts.archive import ArchivePlace, digest


class ObjectsPlace(ArchivePlace):
    """Opens archives of the same objects, and closes them."""

    def __init__(self, objects: Objects, roll_up: int = 4) -> None:
        self.objects = objects
        self._roll_up = roll_up
        self._opened: list[ObjectArchive] = []

    def open(self, on_step: OnStep = ignore_step, objects: Objects | None = None) -> ObjectArchive:
        opened = ObjectArchive(objects or self.objects, digest, on_step, roll_up=self._roll_up)
        self._opened.append(opened)
        return opened

    def remove(self, file: str) -> None:
        self.objects.delete(file)

    def close(self) -> None:
        for archive in self._opened:
            archive.close()


class Overwriting:
    """Objects of a store that overwrites although asked not to. Some S3 servers do."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.url = objects.url

    def put(self, path: str, content: bytes) -> None:
        self._objects.put(path, content)

    def create(self, path: str, content: bytes) -> None:
        self._objects.put(path, content)

    def get(self, path: str) -> bytes | None:
        return self._objects.get(path)

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        return self._objects.get_range(path, start, length)

    def stored(self, directory: str, after: str = "") -> Sequence[Stored]:
        return self._objects.stored(directory, after)

    def delete(self, path: str) -> None:
        self._objects.delete(path)
