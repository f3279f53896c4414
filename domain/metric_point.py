"""Metric points and the batches they come in.

A batch is stored as columns, because code that handles many points (checking, encoding,
projecting) is faster by column; `MetricPoint` is one row of it.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from domain.values import all_finite, same_bits

MAX_TAGS = 40

PAIR_OVERHEAD = 170
"""Bytes of a tag's tuple and two strings in CPython, besides their characters."""

MAX_TIMESTAMP = 95_617_584_000_000
"""The latest timestamp a point can have, in milliseconds: the beginning of the year 5000."""


class _InvalidName(ValueError):
    """A name is invalid; never leaves this module."""


class TagSet(Struct, frozen=True, cache_hash=True):
    """The tags of a point: (name, value) pairs sorted by name, valid by construction.

    Make one with `tag_set`. Equal sets compare equal and have equal hashes, each computed once.
    """

    pairs: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, str]:
        return dict(self.pairs)

    def size(self) -> int:
        """Return about how many bytes it takes: the texts, and the objects that hold them."""
        return sum(len(name) + len(value) + PAIR_OVERHEAD for name, value in self.pairs)


class MetricPoint(Struct, frozen=True):
    """One measurement: `timestamp` in milliseconds since the epoch, `value` any 64-bit float."""

    name: str
    timestamp: int
    value: float
    tags: dict[str, str]


class PointBatch(Struct, frozen=True, eq=False, gc=False):
    """Points as four columns of equal length; row i is point i. Everything in it is valid.

    Values may be any 64-bit floats; their bits are kept. `known_finite` says that all are known to
    be finite, so that nobody has to look again. Batches of the same points are equal, whatever
    types of sequences their columns are.
    """

    names: Sequence[str]
    timestamps: Sequence[int]
    values: Sequence[float]
    tag_sets: Sequence[TagSet]
    known_finite: bool = False

    def __len__(self) -> int:
        return len(self.values)  # an array, whose length costs least

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, PointBatch)
            and self._columns() == other._columns()
            and same_bits(self.values, other.values)
        )

    def __hash__(self) -> int:
        return hash(tuple(self.timestamps))

    def _columns(self) -> list[list[object]]:
        return [list(c) for c in (self.names, self.timestamps, self.tag_sets)]

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
    finite: bool = True,
) -> PointBatch | None:
    """Make a batch from columns of equal length, or return None if any point is invalid.

    `timestamps` are in milliseconds since the epoch; `latest` is the latest one accepted. Unless
    `finite` is false, values must be finite. None only says that something is wrong: use the fault
    functions to find out what.
    """
    if not timestamps:
        return PointBatch((), (), (), (), known_finite=True)
    # Points of a batch share names and times: each distinct one is checked once.
    names = coded(names)
    try:
        for name in names.table:
            _check_metric_name(name)
    except _InvalidName:
        return None
    times = coded(timestamps)
    if min(times.table) < 0 or max(times.table) > latest:
        return None
    if finite and not all_finite(values):
        return None
    return PointBatch(
        names,
        times,
        values if isinstance(values, array) else array("d", values),
        tag_sets,
        known_finite=finite,
    )


def batch_fault(batch: PointBatch, *, finite: bool) -> str | None:
    """Return what is wrong with a batch that was not made by `batch_of`, or None if it is valid.

    With `finite`, so must be all values. Tag sets are not checked: they are valid by construction.
    """
    if fault := names_fault(coded(batch.names).table):
        return fault
    if len(batch) and not 0 <= min(batch.timestamps) <= max(batch.timestamps) <= MAX_TIMESTAMP:
        return "a time is out of range"
    if finite and not all_finite(batch.values):
        return "a value is not finite"
    return None


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


def names_fault(names: Iterable[str]) -> str | None:
    """Return what is wrong with the first invalid name of a metric, or None if all are valid."""
    for name in names:
        try:
            _check_metric_name(name)
        except _InvalidName:
            return f"a name {metric_name_fault(name)}"
    return None


# Matching a regular expression takes several times as long as decoding the name, and names recur.
# Invalid names raise and so are not cached, which bounds the cache in bytes as well.
@lru_cache(maxsize=65_536)
def _check_metric_name(name: str) -> None:
    if metric_name_fault(name):
        raise _InvalidName


@lru_cache(maxsize=65_536)
def _check_tag_name(name: str) -> None:
    if tag_name_fault(name):
        raise _InvalidName


def timestamp_fault(milliseconds: int, latest: int) -> str | None:
    """Return what is wrong with a time, or None. Both times are in ms; `latest` is the maximum."""
    if milliseconds < 0:
        return f"must not be negative, is {milliseconds / 1000:.3f} s"
    if milliseconds > latest:
        return (
            f"is too far in the future: {milliseconds / 1000:.3f} s since the epoch, "
            f"at most {latest / 1000:.3f} is accepted now"
        )
    return None


def value_fault(value: object) -> str | None:
    """Return what is wrong with a value, or None. It must be finite and fit a 64-bit float."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return f"must be a number, not {json_type(value)}"
    try:
        finite = math.isfinite(float(value))
    except OverflowError:
        finite = False
    return None if finite else "must be finite and fit a 64-bit float"


def tag_faults(tags: object) -> Iterator[tuple[str | None, str]]:
    """Yield each fault as (tag name, description); the name is None for the tags as a whole."""
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
