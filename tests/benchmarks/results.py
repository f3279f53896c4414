"""Measurements, and their evaluation: medians, spreads, ratios, goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from msgspec import Struct


class Measurement(Struct, frozen=True, kw_only=True):
    """The figures of one contestant in one round; those with a `fault` do not count.

    `size` is in points per request. A figure's name ends with its unit.
    """

    part: str
    contestant: str
    size: int = 0
    connections: int = 0
    round: int = 0
    figures: Mapping[str, float]
    fault: str | None = None


class Spread(Struct, frozen=True):
    """The median and the extremes over some rounds."""

    median: float
    least: float
    most: float
    rounds: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        return cls(median(values), min(values), max(values), len(values))


class Cell(Struct, frozen=True):
    """The figures of a contestant over the rounds of one setting, and the faults in them."""

    part: str
    contestant: str
    size: int
    connections: int
    figures: Mapping[str, Spread]
    faults: Sequence[str]


class Goal(Struct, frozen=True, kw_only=True):
    """A bound for a figure of `ours`: `factor` times that of `theirs`, or `factor` itself.

    It is a minimum, or with `at_most` a maximum.
    """

    part: str
    figure: str
    size: int | None = None
    ours: str = "CAVE"
    theirs: str | None = None
    factor: float
    at_most: bool = False


class Verdict(Struct, frozen=True):
    """A goal in one setting, and the spread of the rounds' ratios."""

    goal: Goal
    size: int
    connections: int
    ratio: Spread
    met: bool


def cells(measurements: Sequence[Measurement]) -> list[Cell]:
    """Return one cell for each contestant and setting, in the order they were first measured."""
    found = []
    for key, group in _grouped(measurements).items():
        valid = [measured.figures for measured in group if measured.fault is None]
        names = dict.fromkeys(name for figures in valid for name in figures)
        figures = {n: Spread.of([each[n] for each in valid if n in each]) for n in names}
        faults = [measured.fault for measured in group if measured.fault is not None]
        found.append(Cell(*key, figures, faults))
    return found


def verdicts(measurements: Sequence[Measurement], goals: Sequence[Goal]) -> list[Verdict]:
    """Return the verdicts on goals that were measured, by the median of each round's ratio."""
    valid = [measured for measured in measurements if measured.fault is None]
    return [verdict for goal in goals for verdict in _verdicts(valid, goal)]


def _verdicts(valid: Sequence[Measurement], goal: Goal) -> Iterator[Verdict]:
    settings = {
        (measured.size, measured.connections): None
        for measured in valid
        if measured.part == goal.part and goal.size in (None, measured.size)
    }
    for size, connections in settings:
        ours = _by_round(valid, goal, goal.ours, size, connections)
        if goal.theirs is None:
            ratios = list(ours.values())
        else:
            theirs = _by_round(valid, goal, goal.theirs, size, connections)
            ratios = [ours[r] / theirs[r] for r in ours if theirs.get(r)]
        if ratios:
            ratio = Spread.of(ratios)
            met = ratio.median <= goal.factor if goal.at_most else ratio.median >= goal.factor
            yield Verdict(goal, size, connections, ratio, met)


def _by_round(
    valid: Sequence[Measurement], goal: Goal, contestant: str, size: int, connections: int
) -> dict[int, float]:
    wanted = (goal.part, contestant, size, connections)
    return {
        measured.round: measured.figures[goal.figure]
        for measured in valid
        if _key(measured) == wanted and goal.figure in measured.figures
    }


def _key(measured: Measurement) -> tuple[str, str, int, int]:
    return measured.part, measured.contestant, measured.size, measured.connections


def _grouped(
    measurements: Sequence[Measurement],
) -> dict[tuple[str, str, int, int], list[Measurement]]:
    groups: dict[tuple[str, str, int, int], list[Measurement]] = {}
    for measured in measurements:
        groups.setdefault(_key(measured), []).append(measured)
    return groups
