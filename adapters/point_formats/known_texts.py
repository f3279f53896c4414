"""The texts that a scanner has read, so that each is decoded only once."""

from __future__ import annotations

from collections.abc import Callable
from secrets import randbits
from typing import Any, Generic, TypeVar

import numpy as np

from adapters.point_formats.scanned_texts import MAX_BYTES, MAX_TEXTS, PADDING, SLOTS, Texts

T = TypeVar("T")


class KnownTexts(Generic[T]):
    """Texts such as names and tag sets as they are written, and their meanings, by number.

    `meaning` decodes a text, and returns None if it is invalid. Memory is bounded:

    - At most `MAX_TEXTS` texts of together `MAX_BYTES` are kept, in arrays of 13 MiB.
    - Their meanings take at most 150 MiB. Sets of four to ten tags with names and values of one to
      five characters come closest (136 MiB measured); long tags take one to four bytes of objects
      per byte of text.
    - A text longer than `MAX_TEXT` bytes is not kept. Tags at the contract's limits, 40 names of
      255 characters with values of 1024, are longer: 51,160 characters without the punctuation.
    """

    def __init__(self, meaning: Callable[[bytes], T | None]) -> None:
        self._meaning = meaning
        self.meanings: list[Any] = []
        self.arrays = Texts(
            content=np.zeros(MAX_BYTES + len(PADDING), np.uint8),
            starts=np.zeros(MAX_TEXTS + 1, np.int64),
            hashes=np.zeros(MAX_TEXTS, np.uint64),
            slots=np.zeros(SLOTS, np.int32),
            after=np.zeros(MAX_TEXTS, np.int32),
            codes=np.zeros(MAX_TEXTS, np.int32),
            batches=np.zeros(MAX_TEXTS, np.int64),
            numbers=np.zeros(1, np.int64),
            seed=np.uint64(randbits(64)),
        )
        self.forget()

    def learn(self) -> None:
        """Decode each text that was added to the arrays since the last call."""
        starts = self.arrays.starts
        for number in range(len(self.meanings), int(self.arrays.numbers[0])):
            text = self.arrays.content[starts[number] : starts[number + 1]].tobytes()
            self.meanings.append(self._meaning(text))

    def forget(self) -> None:
        """Remove all texts."""
        self.arrays.slots.fill(0)
        self.arrays.after.fill(0)
        self.arrays.batches.fill(0)
        self.arrays.numbers[0] = self.arrays.starts[1] = 1
        self.meanings = [None]
