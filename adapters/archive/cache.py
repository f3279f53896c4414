"""A cache that several threads fill: a value is made once, and the least recently used go first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

Value = TypeVar("Value")


class _Slot(Generic[Value]):
    """A value, or the promise of one: who holds the lock makes it."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.value: Value | None = None
        self.size = 0


class Cache(Generic[Value]):
    """Keeps values of a size of `limit` in all, and always the newest one. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._lock = Lock()
        self._slots: OrderedDict[Hashable, _Slot[Value]] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Return whether a value is there, or being made."""
        with self._lock:
            return key in self._slots

    def get(self, key: Hashable, make: Callable[[], Value], size: int = 1) -> Value:
        """Return the value of a key, which `make` returns if it isn't there, and of which size.

        Whoever asks meanwhile waits for it. What `make` raises is raised, and not kept.
        """
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                slot = self._slots[key] = _Slot()
            self._slots.move_to_end(key)
        with slot.lock:
            if slot.value is None:
                try:
                    slot.value = make()
                except BaseException:
                    self._forget(key, slot)
                    raise
                self._keep(key, slot, size)
            return slot.value

    def _keep(self, key: Hashable, slot: _Slot[Value], size: int) -> None:
        with self._lock:
            if self._slots.get(key) is not slot:
                return  # it had to go while it was made
            slot.size = size
            self._size += size
            while self._size > self._limit and len(self._slots) > 1:
                self._size -= self._slots.popitem(last=False)[1].size

    def _forget(self, key: Hashable, slot: _Slot[Value]) -> None:
        with self._lock:
            if self._slots.get(key) is slot:
                del self._slots[key]
