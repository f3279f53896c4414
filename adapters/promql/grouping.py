"""Groups of series with equal labels, as aggregations form them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from msgspec import Struct

from adapters.promql.labels import Labels, dropped, kept, key
from adapters.promql.syntax.tree import Aggregation
from adapters.promql.vectors import Integers, Vector
from application.reading.series import NAME


class Clause(Struct, frozen=True):
    """`by` some labels, or `without` some and the name; neither is `by` none."""

    names: Collection[str]
    without: bool

    @classmethod
    def of(cls, node: Aggregation) -> Clause:
        if node.without:
            return cls({*node.labels, NAME}, without=True)
        return cls(set(node.labels), without=False)

    def apply(self, labels: Labels) -> Labels:
        """Return the labels of a series' group."""
        return dropped(labels, self.names) if self.without else kept(labels, self.names)


class Groups(Struct, frozen=True):
    """Groups of a vector's rows: `labels` of each group, and the group of each row.

    Groups are numbered from 0 in the order of their first rows.
    """

    labels: Sequence[Labels]
    of_row: Integers

    @classmethod
    def by_clause(cls, vector: Vector, clause: Clause) -> Groups:
        places: dict[object, int] = {}
        labels: list[Labels] = []
        of_row = np.empty(len(vector), np.int64)
        for row, one in enumerate(vector.labels):
            group = clause.apply(one)
            place = places.setdefault(key(group), len(places))
            if place == len(labels):
                labels.append(group)
            of_row[row] = place
        return cls(labels, of_row)

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self) -> Iterator[Integers]:
        """Yield the rows of each group, in the order of the vector."""
        order, starts = self.ordered()
        yield from np.split(order, starts[1:])

    def ordered(self) -> tuple[Integers, Integers]:
        """Return all rows, group after group, and where each group starts among them."""
        order = np.argsort(self.of_row, kind="stable")
        sizes = np.bincount(self.of_row, minlength=len(self))
        return order, np.concatenate(([0], np.cumsum(sizes)[:-1]))

    def turns(self) -> Iterator[tuple[Integers, Integers]]:
        """Yield the groups that have a first row, and these rows, then a second row and so on.

        So calculations that add up rows one by one do so for all groups at once.
        """
        order, starts = self.ordered()
        sizes = np.bincount(self.of_row, minlength=len(self))
        for turn in range(int(sizes.max(initial=0))):
            groups = np.flatnonzero(sizes > turn)
            yield groups, order[starts[groups] + turn]
