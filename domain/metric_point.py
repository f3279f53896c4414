"""Metric points and the batches they come in.

A batch is kept as columns, because everything that handles many points at once (checking,
encoding, projecting) is faster by column; `MetricPoint` is one row of it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct

from domain.columns import coded
from domain.names import (
    abbreviated,
    json_type,
    metric_name_fault,
    tag_name_fault,
    tag_value_fault,
)

MAX_TAGS = 40

MAX_TIMESTAMP = 95_617_584_000_000
"""The last millisecond that a point can have, at the beginning of the year 5000."""


class _InvalidName(ValueError):
    """A name is invalid; never leaves this module."""


class TagSet(Struct, frozen=True, cache_hash=True):
    """The tags of a point: (name, value) pairs sorted by name, valid by construction.

    Make one with `tag_set`. Equal sets are equal and hash alike, the hash computed once.
    """

    pairs: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, str]:
        return dict(self.pairs)

    def size(self) -> int:
        """Return the characters of all names and values."""
        return sum(len(name) + len(value) for name, value in self.pairs)


class MetricPoint(Struct, frozen=True):
    """One measurement: `timestamp` in milliseconds since the epoch, `value` finite."""

    name: str
    timestamp: int
    value: float
    tags: dict[str, str]


class PointBatch(Struct, frozen=True, eq=False):
    """Points as four columns of one length; row i is point i. Every value obeys its rule.

    Batches of the same points are equal, whatever kinds of sequences their columns are.
    """

    names: Sequence[str]
    timestamps: Sequence[int]
    values: Sequence[float]
    tag_sets: Sequence[TagSet]

    def __len__(self) -> int:
        return len(self.names)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PointBatch) and self._columns() == other._columns()

    def __hash__(self) -> int:
        return hash(tuple(self.timestamps))

    def _columns(self) -> list[list[object]]:
        return [list(c) for c in (self.names, self.timestamps, self.values, self.tag_sets)]

    def points(self) -> Iterator[MetricPoint]:
        """Yield the rows in the order they were sent."""
        for name, timestamp, value, tags in zip(
            self.names, self.timestamps, self.values, self.tag_sets, strict=True
        ):
            yield MetricPoint(name, timestamp, value, tags.as_dict())


def batch_of(
    names: Sequence[str],
    timestamps: Sequence[int],
    values: Sequence[float],
    tag_sets: Sequence[TagSet],
    *,
    latest: int,
) -> PointBatch | None:
    """Make a batch of columns of one length, or return None if any point is invalid.

    `timestamps` are in milliseconds since the epoch; `latest` is the last one accepted. This
    reports only that something is wrong: the fault functions find out what.
    """
    if not timestamps:
        return PointBatch((), (), (), ())
    # Points of a batch share names and times: each is looked at once.
    names = coded(names)
    try:
        for name in names.table:
            _check_metric_name(name)
    except _InvalidName:
        return None
    times = coded(timestamps)
    if min(times.table) < 0 or max(times.table) > latest:
        return None
    if not _all_finite(values):
        return None
    return PointBatch(
        names,
        times,
        values if isinstance(values, array) else array("d", values),
        tag_sets,
    )


def batch_fault(batch: PointBatch) -> str | None:
    """Say what keeps columns read from elsewhere from being points, or None where nothing does.

    Tag sets are valid by construction.
    """
    for name in coded(batch.names).table:
        if fault := metric_name_fault(name):
            return f"a name {fault}"
    if len(batch) and not 0 <= min(batch.timestamps) <= max(batch.timestamps) <= MAX_TIMESTAMP:
        return "a time is out of range"
    if not _all_finite(batch.values):
        return "a value is not finite"
    return None


def _all_finite(values: Sequence[float]) -> bool:
    # A sum of finite numbers may overflow; one that is finite has no other terms.
    return math.isfinite(sum(values)) or all(map(math.isfinite, values))


def tag_set(tags: Mapping[str, str]) -> TagSet | None:
    """Make a tag set, or return None if a name or value is invalid or there are too many tags."""
    if len(tags) > MAX_TAGS:
        return None
    try:
        for name, value in tags.items():
            _check_tag_name(name)
            if tag_value_fault(value):
                return None
    except _InvalidName:
        return None
    return TagSet(tuple(sorted(tags.items())))


# A regular expression per string costs several times its decoding, and names recur. Only valid
# names are remembered (what raises is not), so that the memo is bounded in bytes as well.
@lru_cache(maxsize=65_536)
def _check_metric_name(name: str) -> None:
    if metric_name_fault(name):
        raise _InvalidName


@lru_cache(maxsize=65_536)
def _check_tag_name(name: str) -> None:
    if tag_name_fault(name):
        raise _InvalidName


def timestamp_fault(milliseconds: int, latest: int) -> str | None:
    """Say what is wrong with a time in milliseconds, `latest` being the last one accepted."""
    if milliseconds < 0:
        return f"must not be negative, is {milliseconds / 1000:.3f} s"
    if milliseconds > latest:
        return (
            f"is too far in the future: {milliseconds / 1000:.3f} s since the epoch, "
            f"at most {latest / 1000:.3f} is accepted now"
        )
    return None


def value_fault(value: object) -> str | None:
    """Say what is wrong with a value: it must be a finite number that fits 64 bits."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return f"must be a number, not {json_type(value)}"
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    return None if finite else "must be finite and fit a 64-bit float"


def tag_faults(tags: object) -> Iterator[tuple[str | None, str]]:
    """Yield (tag name, what is wrong with it); the name is None for the tags as a whole."""
    if not isinstance(tags, dict):
        yield None, f"must be an object of strings, not {json_type(tags)}"
        return
    if len(tags) > MAX_TAGS:
        yield None, f"must have at most {MAX_TAGS} tags, has {len(tags)}"
    for name, value in tags.items():
        if fault := tag_name_fault(name):
            yield name, f"the tag's name {fault}"
        if fault := tag_value_fault(value):
            yield name, f"the value of tag {abbreviated(name)} {fault}"
