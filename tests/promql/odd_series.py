"""Series for generated expressions: with gaps, stale markers, resets, NaN, infinities and extremes.

Every time has milliseconds, so that no sample is on the edge of a range of whole seconds. Values of
the families EXACT are multiples of a quarter: sums of them have no rounding errors, in whatever
order they are added up.
"""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

from tests.promql.samples import DURATION, INTERVAL, START, SampleSeries

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]

EXACT = ("exact_gauge", "exact_other", "exact_state", "exact_info")
ODD = ("odd_gauge", "huge_gauge")
COUNTERS = ("exact_total", "gaps_total")
BUCKETS = ("plain_bucket", "odd_bucket")
LABELS = {"a": ("x", "y", "z"), "b": ("", "1", "2"), "c": ("", "p"), "kind": ("cold", "warm")}
BOUNDS = ("0.25", "0.5", "1", "2.5", "+Inf")


def odd_series() -> Sequence[SampleSeries]:
    """Return all of them; always the same."""
    return list(_all(random.Random(1)))


def _all(chance: random.Random) -> Iterator[SampleSeries]:
    for a, b in product(LABELS["a"], LABELS["b"]):
        yield _gauge(_named("exact_gauge", a=a, b=b), chance, lambda: _quarters(chance))
        yield _gauge(_named("odd_gauge", a=a, b=b), chance, lambda: _odd(chance))
        if (a, b) != ("z", "2"):
            yield _gauge(_named("exact_other", a=a, b=b), chance, lambda: _quarters(chance))
        if b:
            yield _gauge(_named("exact_state", a=a, b=b), chance, lambda: chance.randrange(2))
            yield _gauge(_named("huge_gauge", a=a, b=b), chance, lambda: _huge(chance))
            yield _resetting(_named("exact_total", a=a, b=b), chance)
            yield _growing(_named("gaps_total", a=a, b=b), chance)
    yield _gauge(_named("exact_other", a="x", b="1", c="p"), chance, lambda: _quarters(chance))
    for a in LABELS["a"]:
        yield from _changing(a, chance)
        yield from _histogram("plain_bucket", a, chance, falling=False)
        yield from _histogram("odd_bucket", a, chance, falling=True)


def _quarters(chance: random.Random) -> float:
    return chance.randrange(-120, 200) / 4


def _odd(chance: random.Random) -> float:
    return chance.choice((math.nan, math.inf, -math.inf, 0.0, -0.0, 1.5, -3.25, 7.0))


def _huge(chance: random.Random) -> float:
    return chance.choice((1.7e308, 1e300, 1e21, 123456789.125, 1e-7, 1e-300, 5e-324, 0.0))


def _gauge(
    labels: Mapping[str, str], chance: random.Random, value: Callable[[], float]
) -> SampleSeries:
    """Return a gauge that at times keeps its value, ends with a stale marker or just pauses."""
    times, values = [], []
    current = value()
    ended = False
    for at in _irregular(chance):
        if not ended and chance.random() < 0.01:
            times.append(at)
            values.append(STALE)
            ended = True
        if ended:
            ended = chance.random() > 0.1
        else:
            current = current if chance.random() < 0.3 else value()
            times.append(at)
            values.append(float(current))
    return SampleSeries(labels, times, values)


def _resetting(labels: Mapping[str, str], chance: random.Random) -> SampleSeries:
    """Return a counter with resets and regular times; versions differ for one with gaps."""
    value = 1e5
    times, values = [], []
    shift = chance.randrange(1, 1000)
    for at in range(START + shift, START + DURATION, INTERVAL):
        value = chance.randrange(4000) / 4 if chance.random() < 0.02 else value
        value += chance.choice((0, 0.25, 1, 30))
        times.append(at)
        values.append(value)
    return SampleSeries(labels, times, values)


def _growing(labels: Mapping[str, str], chance: random.Random) -> SampleSeries:
    """Return a counter that is high from the start, with gaps."""
    value = 1e6
    times, values = [], []
    for at in _irregular(chance):
        value += chance.choice((0, 0.25, 1, 30))
        times.append(at)
        values.append(value)
    return SampleSeries(labels, times, values)


def _changing(a: str, chance: random.Random) -> Iterator[SampleSeries]:
    """Yield series that follow each other, with another label."""
    times = list(range(START + 137, START + DURATION, INTERVAL))
    middle = chance.randrange(200, 500)
    for kind, part in (("cold", times[:middle]), ("warm", times[middle + 25 :])):
        yield SampleSeries(_named("exact_info", a=a, kind=kind), part, [1.0] * len(part))


def _histogram(
    name: str, a: str, chance: random.Random, *, falling: bool
) -> Iterator[SampleSeries]:
    """Yield buckets; `falling` ones are no proper histogram."""
    times = list(range(START + 431, START + DURATION, INTERVAL))
    counts = [[1000.0 * (place + 1)] for place in range(len(BOUNDS))]
    for _ in times[1:]:
        added = 0
        for bucket in counts:
            added = chance.randrange(5) if falling else added + chance.randrange(3)
            bucket.append(bucket[-1] + added)
    for bound, values in zip(BOUNDS, counts, strict=True):
        if not (falling and a == "y" and bound == "+Inf"):
            shuffled = falling and a == "z" and bound == "1"
            yield SampleSeries(
                _named(name, a=a, le=bound), times, values[::-1] if shuffled else values
            )
    if falling:
        yield SampleSeries(_named(name, a=a, le="about 3"), times, counts[0])


def _irregular(chance: random.Random) -> Iterable[int]:
    at = START + chance.randrange(60_000)
    while at < START + DURATION:
        yield at if at % 1000 else at + 1
        at += chance.choice((5_003, 14_987, 15_011, 15_011, 29_999))
        if chance.random() < 0.005:
            at += chance.randrange(60_000, 900_000)


def _named(name: str, **labels: str) -> Mapping[str, str]:
    return {"__name__": name, **{label: value for label, value in labels.items() if value}}
