"""Points as clients and tests compare them: exactly, with every bit of their values."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Tags = frozenset[tuple[str, str]]


class Point(NamedTuple):
    """One point: `time` in milliseconds since the epoch, `bits` those of its value."""

    name: str
    time: int
    bits: bytes
    tags: Tags

    @property
    def value(self) -> float:
        """The value."""
        (value,) = struct.unpack(">d", self.bits)
        return float(value)


def point(name: str, time: int, value: float, tags: Mapping[str, str]) -> Point:
    """Return a point to compare."""
    return Point(name, time, struct.pack(">d", value), frozenset(tags.items()))


def same(stored: Iterable[Point], sent: Iterable[Point]) -> None:
    """Check that each point that was sent is stored exactly once, and nothing else."""
    was_sent, is_stored = Counter(sent), Counter(stored)
    assert was_sent, "nothing was sent"
    missing, extra = was_sent - is_stored, is_stored - was_sent
    assert not missing, f"{missing.total()} of {was_sent.total()} lost: {_some(missing)}"
    assert not extra, f"{extra.total()} too many or doubled: {_some(extra)}"


def doubled(points: Iterable[Point]) -> list[Point]:
    """Return the points of which there is more than one."""
    return [point for point, times in Counter(points).items() if times > 1]


def _some(points: Counter[Point]) -> list[tuple[str, int, float, dict[str, str]]]:
    return [(p.name, p.time, p.value, dict(p.tags)) for p in list(points)[:3]]
