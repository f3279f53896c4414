"""Points that are refused one by one, while the rest of their body is stored."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from msgspec import Struct

MAX_KEPT = 1000
"""Refusals of a body that are kept with their places; the others are only counted."""

MAX_DETAIL = 300
"""Characters of a detail that are kept."""


class Reason(StrEnum):
    """Why a point was refused; the value is a label of the service's metrics."""

    NAME = "invalid_name"
    TAG = "invalid_tag"
    TOO_MANY_TAGS = "too_many_tags"
    VALUE = "invalid_value"
    TIME = "invalid_time"
    SYNTAX = "invalid_syntax"
    SERIES = "series_limit"
    UNSUPPORTED = "unsupported"


class RefusedPoint(Struct, frozen=True):
    """One or several points that were not stored.

    `place` says where in the body they were, in the protocol's terms: a JSON pointer, `line 3`,
    `series 2`. For the reason SERIES it is the series itself, since that is refused, not a place.
    `detail` says for people what is wrong, without the place. `points` is how many points share the
    place and the reason, such as the samples of a series. `original` is what was sent, for
    protocols whose answers repeat it; it is not kept.
    """

    place: str
    reason: Reason
    detail: str
    points: int = 1
    original: str = ""


class Refusals:
    """Collects the refused points of one body: all are counted, the first are kept.

    `retry_after` is set if some of them may be accepted after so many seconds.
    """

    def __init__(self) -> None:
        self.retry_after: int | None = None
        self.first: list[RefusedPoint] = []
        self.counts: Counter[Reason] = Counter()

    def add(
        self, place: str, reason: Reason, detail: str, points: int = 1, original: str = ""
    ) -> None:
        """Count a refusal, and keep it if it is one of the first `MAX_KEPT`."""
        self.counts[reason] += points
        if len(self.first) < MAX_KEPT:
            self.first.append(RefusedPoint(place, reason, detail[:MAX_DETAIL], points, original))

    def copy(self) -> Refusals:
        """Return the same refusals, to which others can be added."""
        copied = Refusals()
        copied.first, copied.counts = self.first.copy(), self.counts.copy()
        return copied

    @property
    def points(self) -> int:
        """The number of points refused."""
        return self.counts.total()

    def __bool__(self) -> bool:
        return bool(self.counts)
