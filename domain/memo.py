"""A memo bounded by the bytes it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

MAX_SIZE = 16 << 20
OVERHEAD = 200
"""Approximate bytes that a key and its value take in addition to those `size` counts."""


class Memo(dict[Key, Value], Generic[Key, Value]):
    """Remembers what `make` returns for each key. Exceptions from `make` are not remembered.

    `size` returns about how many bytes a key and its value take. Once all of them exceed `max_size`
    bytes, everything is forgotten and made again on demand. A look-up costs as much as one in a
    dictionary.
    """

    def __init__(
        self,
        make: Callable[[Key], Value],
        size: Callable[[Key, Value], int],
        max_size: int = MAX_SIZE,
    ) -> None:
        self._make = make
        self._size_of = size
        self._max_size = max_size
        self._size = 0

    def __missing__(self, key: Key) -> Value:
        value = self._make(key)
        size = self._size_of(key, value) + OVERHEAD
        self._size += size
        if self._size > self._max_size:
            self.clear()
            self._size = size
        self[key] = value
        return value
