"""The measurements and tag sets that the scanner has read, so that each is read only once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from adapters.point_formats.influx.quick import NotPlain, plain_series, plain_tags
from adapters.point_formats.json.compiled_scan import MAX_TEXTS, Texts
from adapters.point_formats.json.known_texts import KnownTexts
from domain.metric_point import TagSet

_INVALID = -1


class KnownSeries:
    """Texts of series, and the numbers of their measurements and tag sets. Bounded in memory.

    Texts are bounded as those of `KnownTexts`. Equal measurements and tag sets are kept once, by
    number, in `measurements` and `tag_sets`.
    """

    def __init__(self) -> None:
        self._texts = KnownTexts(_series)
        self._measurement_of = np.zeros(MAX_TEXTS, np.int64)
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
            measurement, tag_set = _INVALID, _INVALID
            if (meaning := meanings[number]) is not None:
                measurement = self._measurements.setdefault(meaning[0], len(self._measurements))
                tag_set = self._tag_sets.setdefault(meaning[1], len(self._tag_sets))
                if measurement == len(self.measurements):
                    self.measurements.append(meaning[0])
                if tag_set == len(self.tag_sets):
                    self.tag_sets.append(meaning[1])
                meanings[number] = True  # its parts are kept once
            self._measurement_of[number], self._tag_set_of[number] = measurement, tag_set
        self._learned = len(meanings)

    def forget(self) -> None:
        """Remove all texts."""
        self._texts.forget()
        self._measurements: dict[str, int] = {}
        self._tag_sets: dict[TagSet, int] = {}
        self.measurements: list[str] = []
        self.tag_sets: list[TagSet] = []
        self._learned = 1  # number 0 is reserved for no text

    def measurements_of(self, numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the numbers of the measurements of texts, given by number. Raises NotPlain."""
        return _valid(self._measurement_of[numbers])

    def tag_sets_of(self, numbers: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Return the numbers of the tag sets of texts, given by number. Raises NotPlain."""
        return _valid(self._tag_set_of[numbers])


def _valid(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    if (numbers == _INVALID).any():
        raise NotPlain
    return numbers


def _series(text: bytes) -> tuple[str, TagSet] | None:
    """Return the measurement and tags that a text is, None if it is to be read readably."""
    try:
        measurement, pairs = plain_series(text[:-1].decode())
        return measurement, plain_tags(pairs)
    except (NotPlain, UnicodeDecodeError):
        return None
