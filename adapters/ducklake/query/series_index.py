"""An index of a metric's series: which have a tag, and which value it has.

A series is known by a number, which stays the same while the index lives. Of each tag there are its
values, and a column with the value's code of each series. A matcher looks at each value once, and
then at the column; it reads no points.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress

import msgspec
import numpy as np
import numpy.typing as npt

from application.reading.series import NAME, Matcher, MatchOperator

Numbers = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]

_plain = re.compile(r"[\w:/ -]+").match
"""Characters that mean themselves in a regular expression."""

_decode = msgspec.json.Decoder(dict[str, str]).decode


class SeriesIndex:
    """The series of one metric, by number. For one thread at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.texts: list[str] = []
        """The tags of each series as the store has them."""
        self._numbers: dict[str, int] = {}
        self._tags: dict[str, _Tag] = {}

    def __len__(self) -> int:
        return len(self.texts)

    def numbers(self, texts: Iterable[str]) -> Numbers:
        """Return the numbers of series, given their tags as text; new ones are added."""
        known = self._numbers
        found = array("i")
        for text in texts:
            number = known.get(text)
            found.append(self._add(text) if number is None else number)
        return np.array(found, np.int32)

    def labels(self, number: int) -> Mapping[str, str]:
        """Return the labels of a series, the name among them."""
        return {NAME: self.name, **_decode(self.texts[number])}

    def matching(self, matchers: Sequence[Matcher]) -> Mask:
        """Return for each series whether it satisfies all matchers."""
        found = np.ones(len(self), bool)
        for matcher in matchers:
            if matcher.name == NAME:
                if not matcher.accepts(self.name):
                    return np.zeros(len(self), bool)
            elif matcher.name in self._tags:
                found &= self._tags[matcher.name].satisfying(matcher, len(self))
            elif not matcher.accepts(""):
                return np.zeros(len(self), bool)
        return found

    def label_names(self, within: Mask) -> Iterator[str]:
        """Yield the names of the labels of some series."""
        if within.any():
            yield NAME
            for name, tag in self._tags.items():
                if tag.column(len(self))[within].any():
                    yield name

    def label_values(self, name: str, within: Mask) -> Iterable[str]:
        """Return the values that a label has in some series, each once."""
        if name == NAME:
            return (self.name,) if within.any() else ()
        return self._tags[name].used(within) if name in self._tags else ()

    def _add(self, text: str) -> int:
        number = self._numbers[text] = len(self.texts)
        self.texts.append(text)
        for name, value in _decode(text).items():
            tag = self._tags.get(name)
            if tag is None:
                tag = self._tags[name] = _Tag()
            tag.add(number, value)
        return number


class _Tag:
    """The values of a tag, and the code of each series' value: its place among them, plus 1.

    Series without the tag have the code 0. The column ends with the last series that has the tag.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._column = array("i")

    def add(self, number: int, value: str) -> None:
        self._column.extend([0] * (number - len(self._column)))
        self._column.append(self._codes.setdefault(value, len(self._codes) + 1))

    def column(self, length: int) -> Numbers:
        """Return the codes of all series, of which there are `length`."""
        column = np.zeros(length, np.int32)
        column[: len(self._column)] = self._column
        return column

    def satisfying(self, matcher: Matcher, length: int) -> Mask:
        if matcher.operator is MatchOperator.EQUAL and matcher.value:
            code = self._codes.get(matcher.value)
            if code is None:
                return np.zeros(length, bool)
            return np.equal(self.column(length), code)
        accepted = np.zeros(len(self._codes) + 1, bool)
        accepted[0] = matcher.accepts("")
        beginning = _beginning(matcher)
        if beginning:
            for value, code in self._codes.items():
                if value.startswith(beginning):
                    accepted[code] = matcher.accepts(value)
        else:
            accepted[1:] = np.fromiter(map(matcher.accepts, self._codes), bool, len(self._codes))
        return accepted[self.column(length)]

    def used(self, within: Mask) -> Iterator[str]:
        """Return the values of some series."""
        counts = np.bincount(self.column(len(within))[within], minlength=len(self._codes) + 1)
        return compress(self._codes, counts[1:].tolist())


def _beginning(matcher: Matcher) -> str:
    """Return what every value that a regular expression accepts begins with, as far as it is plain.

    Most values are then refused without the expression.
    """
    if matcher.operator is not MatchOperator.MATCHES or "|" in matcher.value:
        return ""
    plain = _plain(matcher.value)
    found = plain[0] if plain else ""
    # A quantifier is about the character before it.
    return found[:-1] if matcher.value[len(found) :].startswith(("?", "*", "+", "{")) else found
