"""The names and tag sets of the series that a scanner has read, so that each is read only once."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from adapters.point_formats.known_texts import KnownTexts
from adapters.point_formats.scanned_texts import MAX_TEXTS, Texts
from domain.columns import CodedColumn, code_type
from domain.metric_point import TagSet

DENSE = 1 << 20
"""Numbers up to which distinct ones are found by marking them, which is faster than sorting."""

_INVALID = -1

Numbers = NDArray[np.int64]
T = TypeVar("T")


class OddSeries(Exception):
    """A scanner leaves a series to another reader."""


class KnownSeries:
    """Texts of series, and the numbers of their names and tag sets. Bounded in memory.

    `read` returns the name and tags that a text is, None if it is left to another reader. Texts are
    bounded as those of `KnownTexts`. Equal names and tag sets are kept once, by number, in `names`
    and `tag_sets`.
    """

    def __init__(self, read: Callable[[bytes], tuple[str, TagSet] | None]) -> None:
        self._texts = KnownTexts(read)
        self._name_of = np.zeros(MAX_TEXTS, np.int64)
        self._tag_set_of = np.zeros(MAX_TEXTS, np.int64)
        self._learned = 1
        self.forget()

    @property
    def arrays(self) -> Texts:
        """The texts, as the scan takes them."""
        return self._texts.arrays

    def learn(self) -> None:
        """Read each text that was added to the arrays since the last call."""
        self._texts.learn()
        meanings = self._texts.meanings
        for number in range(self._learned, len(meanings)):
            name, tag_set = _INVALID, _INVALID
            if (meaning := meanings[number]) is not None:
                name = self._names.setdefault(meaning[0], len(self._names))
                tag_set = self._tag_sets.setdefault(meaning[1], len(self._tag_sets))
                if name == len(self.names):
                    self.names.append(meaning[0])
                if tag_set == len(self.tag_sets):
                    self.tag_sets.append(meaning[1])
                meanings[number] = True  # its parts are kept once
            self._name_of[number], self._tag_set_of[number] = name, tag_set
        self._learned = len(meanings)

    def forget(self) -> None:
        """Remove all texts."""
        self._texts.forget()
        self._names: dict[str, int] = {}
        self._tag_sets: dict[TagSet, int] = {}
        self.names: list[str] = []
        self.tag_sets: list[TagSet] = []
        self._learned = 1  # number 0 is reserved for no text

    def names_of(self, numbers: NDArray[np.uint32]) -> Numbers:
        """Return the numbers of the names of texts, given by number. Raises OddSeries."""
        return _valid(self._name_of[numbers])

    def tag_sets_of(self, numbers: NDArray[np.uint32]) -> Numbers:
        """Return the numbers of the tag sets of texts, given by number. Raises OddSeries."""
        return _valid(self._tag_set_of[numbers])


def distinct(numbers: Numbers, size: int) -> tuple[list[int], Numbers]:
    """Return the distinct ones of numbers below `size`, and per number its place among them."""
    if size > DENSE:
        found, places = np.unique(numbers, return_inverse=True)
        return found.tolist(), places
    seen = np.zeros(size, np.bool_)
    seen[numbers] = True
    found = np.flatnonzero(seen)
    place_of = np.empty(size, np.int64)
    place_of[found] = np.arange(found.size)
    return found.tolist(), place_of[numbers]


def coded_column(table: Sequence[T], codes: NDArray[np.integer]) -> CodedColumn[T]:
    """Return a column with a table, and a code per row."""
    sort = code_type(len(table))
    return CodedColumn(table, array(sort, codes.astype(sort).tobytes()))


def _valid(numbers: Numbers) -> Numbers:
    if (numbers == _INVALID).any():
        raise OddSeries
    return numbers
