"""The columns of a body's points, filled one point at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from application.publishing.limits import check_count
from application.publishing.ports import BodyTerms, Decoded
from application.publishing.refusals import Reason, Refusals
from domain.metric_description import MetricDescription
from domain.metric_point import PointBatch, TagSet, timestamp_fault


class PointColumns:
    """Collects valid points as columns, and refuses those at a time that is not accepted.

    `descriptions` are for the format to fill: those of the body's metrics, by name.
    """

    def __init__(self, terms: BodyTerms) -> None:
        self._terms = terms
        self.latest = terms.latest
        self._names: list[str] = []
        self._timestamps = array("q")
        self._values = array("d")
        self._tag_sets: list[TagSet] = []
        self.refused = Refusals()
        self.descriptions: dict[str, MetricDescription] = {}

    def add(self, place: str, name: str, timestamp: int, value: float, tags: TagSet) -> bool:
        """Add a point with a valid name; return whether its time is accepted.

        `timestamp` is in milliseconds since the epoch, `place` is where the point is in its body.
        Raises BodyTooLarge.
        """
        if fault := timestamp_fault(timestamp, self.latest):
            self.refused.add(place, Reason.TIME, f"the timestamp {fault}")
            return False
        check_count(len(self._names) + 1, self._terms.max_points)
        self._names.append(name)
        self._timestamps.append(timestamp)
        self._values.append(value)
        self._tag_sets.append(tags)
        return True

    def extend(
        self,
        name: str,
        timestamps: Sequence[int],
        values: Sequence[float],
        tag_sets: Sequence[TagSet],
    ) -> bool:
        """Add points of one valid name, as `add_all` does."""
        return self.add_all([name] * len(timestamps), timestamps, values, tag_sets)

    def check_room(self, points: int) -> None:
        """Raise BodyTooLarge unless the body may have so many points more.

        The refused ones count as well.
        """
        check_count(len(self._names) + self.refused.points + points, self._terms.max_points)

    def add_all(
        self,
        names: Iterable[str],
        timestamps: Sequence[int],
        values: Iterable[float],
        tag_sets: Iterable[TagSet],
    ) -> bool:
        """Add points with valid names, or none of them if a time is not accepted.

        The columns have equal length. Returns whether the points were added. Raises BodyTooLarge.
        """
        if timestamps and not 0 <= min(timestamps) <= max(timestamps) <= self.latest:
            return False
        self.check_room(len(timestamps))
        self._names.extend(names)
        self._timestamps.extend(timestamps)
        self._values.extend(values)
        self._tag_sets.extend(tag_sets)
        return True

    def __len__(self) -> int:
        return len(self._names)

    def decoded(
        self,
        *,
        timed: bool = True,
        sent: Mapping[str, int] | None = None,
    ) -> Decoded:
        """Return the points, those that were refused, and what came with them (see Decoded)."""
        points = PointBatch(self._names, self._timestamps, self._values, self._tag_sets)
        return Decoded(
            points, self.refused or None, timed, sent or {}, tuple(self.descriptions.values())
        )
