"""Series of samples for tests: of given selectors, deterministic, and off the edges of ranges.

Prometheus before version 3 includes a range's left edge. No sample here is on one, as long as
steps, ranges and offsets are whole seconds.
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

START = 1_700_000_000_000 // 7_200_000 * 7_200_000
"""The time of the first sample, about, in ms: where a block of Prometheus begins."""

DURATION = 3 * 3600 * 1000
INTERVAL = 15_000
MINUTE = 60_000


class SampleSeries(Struct, frozen=True):
    """A series' labels with its name, times in ms, and values."""

    labels: Mapping[str, str]
    times: Sequence[int]
    values: Sequence[float]


def array_of(kind: str, items: Iterable[float]) -> memoryview:
    """Return the items as an array of that type code."""
    return memoryview(array(kind, items))


def counter(labels: Mapping[str, str], number: int, scale: float = 1.0) -> SampleSeries:
    """Return a counter that starts high; some have resets, others gaps, some begin or end late.

    A series with both could differ between versions: before 3, a counter was extrapolated further
    towards its zero after a gap.
    """
    chance = random.Random(number)
    times = list(_times(chance, number))
    value = 1e6 * (1 + number % 7) * scale
    values = []
    for _ in times:
        value += chance.choice((0, 1, 3, 40, 0.25)) * scale
        if number % 5 == 1 and chance.random() < 0.01:
            value = chance.random() * 1e5 * scale
        values.append(value)
    return SampleSeries(labels, times, values)


def gauge(labels: Mapping[str, str], number: int) -> SampleSeries:
    """Return a gauge that wanders around 0 or a large value, and at times stays or is odd.

    Every third one is a state instead, 0 or 1.
    """
    chance = random.Random(number)
    times = list(_times(chance, number))
    values = []
    value = chance.choice((0.0, 50.0, 1e9))
    for _ in times:
        if number % 3 == 0:
            value = float(chance.random() < 0.7)
        elif chance.random() < 0.8:
            value += chance.gauss(0, 1)
        odd = number % 11 == 3 and chance.random() < 0.02
        values.append(chance.choice((math.nan, math.inf, -math.inf)) if odd else value)
    return SampleSeries(labels, times, values)


def part(series: SampleSeries, places: slice) -> SampleSeries:
    """Return the series with only the samples at these places."""
    return SampleSeries(series.labels, series.times[places], series.values[places])


def moved(series: Iterable[SampleSeries], later: int) -> Sequence[SampleSeries]:
    """Return the series `later` by so many ms."""
    return [
        SampleSeries(one.labels, [at + later for at in one.times], one.values) for one in series
    ]


def _times(chance: random.Random, number: int) -> Iterable[int]:
    first, last = 0, DURATION // INTERVAL
    if number % 13 == 7:
        first = last // 3
    if number % 17 == 5:
        last = last * 2 // 3
    gap = range(0)
    if number % 5 == 2:
        begin = chance.randrange(first + 100, last - 100)
        gap = range(begin, begin + chance.randrange(3, 60))
    shift = 1_123 + number % 3 * 1_700
    return (START + shift + place * INTERVAL for place in range(first, last) if place not in gap)
