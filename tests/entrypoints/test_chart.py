"""Charts: any finite values are drawn within the width."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from application.reading.ports import Sample
from entrypoints.cli.chart import HEIGHT, chart

MINUTE = 60_000
START = 1398788640000


def drawn(values: list[float], *, width: int = 80, period: int = MINUTE) -> list[str]:
    samples = [Sample(START + place * period, value) for place, value in enumerate(values)]
    return chart([samples], period, "gilt orders, mean", width=width, colored=False).splitlines()


def test_a_chart_has_title_times_and_round_values() -> None:
    lines = drawn([float(value) for value in range(31)])
    assert "gilt orders, mean" in lines[0]
    assert len(lines) <= HEIGHT
    labels = [line.partition("┤")[0].strip() for line in lines if "┤" in line]
    assert labels == ["30", "25", "20", "15", "10", "5", "0"]
    assert lines[-1].split()[0] == "16:24"
    assert lines[-1].split()[-1] == "16:54"


@pytest.mark.parametrize(
    ("period", "first"),
    [(1000, "16:24:00"), (3_600_000, "04-29 16:24"), (86_400_000, "2014-04-29")],
)
def test_times_are_as_fine_as_the_period(period: int, first: str) -> None:
    assert drawn([1.0, 2.0] * 20, period=period)[-1].strip().startswith(first)


def test_missing_buckets_interrupt_the_line() -> None:
    def dots(times: list[int]) -> int:
        samples = [Sample(START + time * MINUTE, 1.0) for time in times]
        text = chart([samples], MINUTE, "", width=80, colored=False)
        return len(re.findall("[\u2801-\u28ff]", text))

    assert dots([0, 1, 30]) < dots(list(range(31)))


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [0.0], [-0.0, 0.0]])
def test_one_value_has_one_label(values: list[float]) -> None:
    labels = [line for line in drawn(values) if "┤" in line]
    assert len(labels) == 1


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30),
    st.integers(0, 79),
)
def test_any_values_fit_any_width(values: list[float], width: int) -> None:
    lines = drawn(values, width=width)
    assert len(lines) <= HEIGHT
    assert max(map(len, lines)) <= max(width, 40)
    assert sum("┤" in line for line in lines) in range(1, 13)


def test_a_terminal_has_colors() -> None:
    samples = [Sample(START, 1.0), Sample(START + MINUTE, 2.0)]
    assert "\x1b[" in chart([samples], MINUTE, "", width=80, colored=True)
    assert "\x1b[" not in chart([samples], MINUTE, "", width=80, colored=False)
