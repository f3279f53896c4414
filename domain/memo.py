"""Memos that are bounded by what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MAX_SIZE = 16 << 20
OVERHEAD = 200
"""Bytes that a key and its value take besides what `size` counts, about."""


class Memo(dict[Key, Value], Generic[Key, Value]):
    """Remembers what `make` returns for a key. What `make` raises is not remembered.

    `size` tells the bytes of a key's text. Once all keys come to more than `max_size` bytes,
    everything is forgotten, which costs making it again. A look-up is that of a dictionary.
    """

    def __init__(
        self,
        make: Callable[[Key], Value],
        size: Callable[[Key], int],
        max_size: int = MAX_SIZE,
    ) -> None:
        self._make = make
        self._size_of = size
        self._max_size = max_size
        self._size = 0

    def __missing__(self, key: Key) -> Value:
        value = self._make(key)
        size = self._size_of(key) + OVERHEAD
        self._size += size
        if self._size > self._max_size:
            self.clear()
            self._size = size
        self[key] = value
        return value
