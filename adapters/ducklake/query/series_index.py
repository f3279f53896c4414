"""An index of an owner's series: which have a label, and which values it has.

A series is a metric's name and a tag set. It is known by a number, which stays the same while the
index lives; files never change, so the numbers of a file's series are remembered with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from application.reading.series import NAME, Matcher, MatchOperator

Numbers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_decode = msgspec.json.Decoder(dict[str, str]).decode


class SeriesIndex:
    """The series of one owner, by number. For one thread at a time.

    `names` and `texts` have each series' name and its tags as the store has them.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.texts: list[str] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._postings: dict[str, dict[str, list[int]]] = {NAME: {}}

    def __len__(self) -> int:
        return len(self.texts)

    def numbers(self, series: Iterable[tuple[str, str]]) -> Numbers:
        """Return the numbers of series, given as name and tags as text; new ones are added."""
        known = self._numbers
        found = []
        for each in series:
            number = known.get(each)
            found.append(self._add(each) if number is None else number)
        return np.array(found, np.int32)

    def labels(self, number: int) -> Mapping[str, str]:
        """Return the labels of a series, the name among them."""
        return {NAME: self.names[number], **_decode(self.texts[number])}

    def matching(self, matchers: Sequence[Matcher]) -> Mask:
        """Return for each series whether it satisfies all matchers.

        A matcher looks at each of its label's values once, however many series have them.
        """
        found = np.ones(len(self), bool)
        for matcher in matchers:
            found &= self._satisfying(matcher)
        return found

    def label_names(self, within: Mask) -> set[str]:
        """Return the names of the labels of some series."""
        return {
            name
            for name, values in self._postings.items()
            if any(within[numbers].any() for numbers in values.values())
        }

    def label_values(self, name: str, within: Mask) -> set[str]:
        """Return the values that a label has in some series."""
        values = self._postings.get(name, {})
        return {value for value, numbers in values.items() if within[numbers].any()}

    def _satisfying(self, matcher: Matcher) -> Mask:
        values = self._postings.get(matcher.name, {})
        found = np.zeros(len(self), bool)
        if matcher.operator is MatchOperator.EQUAL and matcher.value:
            found[values.get(matcher.value, [])] = True
            return found
        having = np.zeros(len(self), bool)
        for value, numbers in values.items():
            having[numbers] = True
            if matcher.accepts(value):
                found[numbers] = True
        if matcher.accepts(""):
            found |= ~having
        return found

    def _add(self, series: tuple[str, str]) -> int:
        number = self._numbers[series] = len(self.texts)
        name, text = series
        self.names.append(name)
        self.texts.append(text)
        self._postings[NAME].setdefault(name, []).append(number)
        for tag, value in _decode(text).items():
            self._postings.setdefault(tag, {}).setdefault(value, []).append(number)
        return number
