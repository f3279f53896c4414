"""A chart of lines through samples, as text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import timedelta

from application.reading.ports import Sample
from entrypoints.cli.output import EPOCH, number

MIN_WIDTH = 40
HEIGHT = 20
VALUE_TICKS = 8
COLUMNS_PER_TIME = 20
"""Columns of the chart for each time on its axis."""

MARKS = "abcdefghij"
"""What draws each of several lines; a chart has no more of them."""

DRAWN = "⣿─│┌┐└┘├┤┬┴┼"
"""The characters of a chart."""

ASCII_FRAME = str.maketrans("─│┌┐└┘├┤┬┴┼", "-|+++++++++")

DAY = 86_400_000


def chart(
    lines: Sequence[Sequence[Sample]],
    period: int,
    title: str,
    *,
    width: int,
    colored: bool,
    ascii_only: bool = False,
) -> str:
    """Draw lines of samples that are `period` ms apart, interrupted at missing ones.

    There are at most as many lines as MARKS, each with a sample or more. Times are in UTC. A single
    line is drawn in dots, and several by their MARKS. With `ascii_only` the chart has only ASCII
    characters.
    """
    # Imported here, because it takes a tenth of a second that other commands need not spend.
    import plotext

    width = max(width, MIN_WIDTH)
    heights, value_ticks = _scaled([[sample.value for sample in line] for line in lines])
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, HEIGHT)
    figure.title(title)
    alone = "*" if ascii_only else "braille"
    for line, line_heights, mark in zip(lines, heights, MARKS, strict=False):
        times = [sample.time for sample in line]
        signal = figure.signal(times, line_heights, marker=mark if len(lines) > 1 else alone)
        signal.lines()
        for place in range(1, len(times)):
            if times[place] - times[place - 1] > period:
                signal.line(place, active=False)
        figure.draw(signal)
    figure.ruler("y").lim(0.0, 1.0)
    figure.ruler("y").ticks(
        [place for place, _ in value_ticks], [label for _, label in value_ticks]
    )
    times = sorted({sample.time for line in lines for sample in line})
    shown = _spread(times, max(2, width // COLUMNS_PER_TIME))
    written = _time_format(times[-1] - times[0], period)
    # A single time has no width: leave room on both sides.
    figure.ruler("x").lim(times[0] - (len(times) == 1), times[-1] + (len(times) == 1))
    figure.ruler("x").ticks(shown, [written(time) for time in shown])
    drawn: str = figure.build().string(colorless=not colored)
    text = "\n".join(row.rstrip() for row in drawn.splitlines())
    return text.translate(ASCII_FRAME) if ascii_only else text


def _scaled(
    lines: Sequence[Sequence[float]],
) -> tuple[list[list[float]], list[tuple[float, str]]]:
    """Return the values of each line scaled to 0 to 1, and ticks at round values among them.

    Scaled by halves, because the difference of two floats may be beyond the range of a float.
    """
    low, high = min(map(min, lines)), max(map(max, lines))
    if low == high:
        return [[0.5] * len(values) for values in lines], [(0.5, number(low))]
    span = high / 2 - low / 2
    ticks = [(((tick / 2) - low / 2) / span, label) for tick, label in _round_values(low, high)]
    return [[(value / 2 - low / 2) / span for value in values] for values in lines], ticks


def _round_values(low: float, high: float) -> list[tuple[float, str]]:
    """Return multiples of 1, 2 or 5 times a power of ten within the range."""
    rough = max((high / VALUE_TICKS) - (low / VALUE_TICKS), 1e-300)
    exponent = math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10):
        step = factor * 10.0**exponent
        if step >= rough:
            break
    multiples = range(math.ceil(low / step), math.floor(high / step) + 1)
    ticks = [multiple * step for multiple in multiples]
    if len(ticks) < 2:
        ticks = [low, high]
    return [(tick, f"{tick:.6g}") for tick in ticks if low <= tick <= high]


def _spread(times: Sequence[int], count: int) -> list[int]:
    """Return about `count` of the times, evenly spread, including the first and the last."""
    last = len(times) - 1
    return [times[place] for place in sorted({round(i * last / (count - 1)) for i in range(count)})]


def _time_format(span: int, period: int) -> Callable[[int], str]:
    day = "" if span < DAY else "%m-%d "
    clock = "%H:%M:%S" if period % 60_000 else "%H:%M"
    form = "%Y-%m-%d" if period % DAY == 0 else day + clock
    return lambda time: (EPOCH + timedelta(milliseconds=time)).strftime(form)
