"""Which series of two vectors belong together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from operator import itemgetter

import numpy as np
from msgspec import Struct

from adapters.promql.labels import Labels, dropped, kept, key
from adapters.promql.vectors import Bools, Integers, Vector
from application.reading.series import NAME


class Matching(Struct, frozen=True):
    """Labels that have to be equal: those `on` a list, or all but the name and those ignored."""

    on: bool = False
    names: Sequence[str] = ()

    def signatures(self, left: Vector, right: Vector) -> tuple[Integers, Integers, int]:
        """Return a number for each row of both vectors, equal for those that match, and how many.

        Numbers start at 0.
        """
        numbers: dict[object, int] = {}
        signature = self._signature()

        def numbered(vector: Vector) -> Integers:
            return np.fromiter(
                (numbers.setdefault(signature(one), len(numbers)) for one in vector.labels),
                np.int64,
                len(vector),
            )

        return numbered(left), numbered(right), len(numbers)

    def matched(self, labels: Labels) -> Labels:
        """Return the labels that were compared, for messages."""
        if self.on:
            return kept(labels, self.names)
        return dropped(labels, {*self.names, NAME})

    def _signature(self) -> Callable[[Labels], object]:
        if self.on:
            names = self.names
            return lambda labels: tuple(labels.get(name, "") for name in names)
        ignored: Collection[str] = {*self.names, NAME}
        return lambda labels: key(dropped(labels, ignored))


def pairs(left: Integers, right: Integers) -> tuple[Integers, Integers]:
    """Return the rows of all pairs with equal signatures, in the order of the left rows."""
    order = np.argsort(right, kind="stable")
    ordered = right[order]
    begin = np.searchsorted(ordered, left, "left")
    number = np.searchsorted(ordered, left, "right") - begin
    lefts = np.repeat(np.arange(len(left)), number)
    within = np.arange(len(lefts)) - np.repeat(np.cumsum(number) - number, number)
    return lefts, order[np.repeat(begin, number) + within]


def any_present(vector: Vector, signatures: Integers, number: int) -> Bools:
    """Return for each signature and step whether any series has a sample."""
    return counts_present(vector.present, signatures, number) > 0


def counts_present(present: Bools, signatures: Integers, number: int) -> Integers:
    """Return for each signature and step how many rows have a sample."""
    counts = np.zeros((number, present.shape[1]), np.int64)
    if len(signatures):
        order = np.argsort(signatures, kind="stable")
        used, starts = np.unique(signatures[order], return_index=True)
        counts[used] = np.add.reduceat(present[order], starts, axis=0, dtype=np.int64)
    return counts


def first_two(present: Bools, signatures: Integers, counts: Integers) -> tuple[int, int]:
    """Return two rows with equal signatures and samples at one step, which must exist."""
    signature, step = map(itemgetter(0), np.nonzero(counts > 1))
    rows = np.flatnonzero((signatures == signature) & present[:, step])
    return int(rows[0]), int(rows[1])
