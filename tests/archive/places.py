"""Places to keep archives in, some of which misbehave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adapters.archive import ObjectArchive
from adapters.archive.objects import Objects, Stored
from application.event_log.archive import OnStep, ignore_step
from tests.contracts.archive_places import ArchivePlace, digest


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


class Watching:
    """Objects that call `before` and `after` with the name of each operation and its path."""

    def __init__(
        self,
        objects: Objects,
        before: Callable[[str, str], None] = lambda name, path: None,
        after: Callable[[str, str], None] = lambda name, path: None,
    ) -> None:
        self._objects = objects
        self._before = before
        self._after = after
        self.url = objects.url

    def put(self, path: str, content: bytes) -> None:
        self._before("put", path)
        self._objects.put(path, content)
        self._after("put", path)

    def create(self, path: str, content: bytes) -> None:
        self._before("create", path)
        self._objects.create(path, content)
        self._after("create", path)

    def get(self, path: str) -> bytes | None:
        self._before("get", path)
        content = self._objects.get(path)
        self._after("get", path)
        return content

    def get_range(self, path: str, start: int, length: int) -> bytes | None:
        self._before("get_range", path)
        content = self._objects.get_range(path, start, length)
        self._after("get_range", path)
        return content

    def stored(self, directory: str) -> Sequence[Stored]:
        self._before("stored", directory)
        found = self._objects.stored(directory)
        self._after("stored", directory)
        return found

    def delete(self, path: str) -> None:
        self._before("delete", path)
        self._objects.delete(path)
        self._after("delete", path)


class Overwriting(Watching):
    """Objects of a store that overwrites although asked not to. Some S3 servers do."""

    def create(self, path: str, content: bytes) -> None:
        self.put(path, content)
