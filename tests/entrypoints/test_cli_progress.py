"""Progress: plain lines now and then, a bar on a terminal."""

from __future__ import annotations

import sys
from io import StringIO

import pytest

from entrypoints.cli import progress
from entrypoints.cli.progress import points_per_second, shown_progress


class Clock:
    """Stands in for the module time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_quick_work_prints_no_lines(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress("replay of points", "events") as advance:
        clock.now += 0.9
        advance(100, 100, 5000)
    assert capsys.readouterr() == ("", "")


def test_a_line_for_each_tenth(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress("replay of points", "events") as advance:
        for done in range(0, 2001, 50):
            clock.now += 1.0
            advance(done, 2000, done * 1000)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert (out, len(lines)) == ("", 10)
    assert lines[0] == (
        "replay of points:  10%, 200 of 2,000 events, 200,000 points, 40,000 points/s"
    )
    assert lines[-1].startswith("replay of points: 100%, 2,000 of 2,000 events")


def test_slow_work_prints_a_line_every_ten_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress("replay of points", "events") as advance:
        for done in range(30):
            clock.now += 1.0
            advance(done, 1_000_000, done)
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_empty_work_is_complete(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress("replay of points", "events") as advance:
        clock.now += 20.0
        advance(0, 0, 0)
    assert "100%, 0 of 0 events, 0 points, 0 points/s" in capsys.readouterr().err


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_has_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with shown_progress("replay of points", "events") as advance:
        advance(500, 1000, 70_000)
    drawn = terminal.getvalue()
    assert "replay of points" in drawn
    assert "500 of 1,000 events" in drawn
    assert "50%" in drawn


def test_a_rate_over_no_time_is_unknown() -> None:
    assert points_per_second(10, 0.0) == "- points/s"
    assert points_per_second(3_000_000, 2.0) == "1,500,000 points/s"


def test_work_of_unknown_length_has_no_percentage(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with shown_progress("import of -", "lines") as advance:
        for done in range(30):
            clock.now += 1.0
            advance(done * 1000, None, done * 900)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "import of -: 9,000 lines, 8,100 points, 810 points/s",
        "import of -: 19,000 lines, 17,100 points, 855 points/s",
        "import of -: 29,000 lines, 26,100 points, 870 points/s",
    ]


def test_a_bar_of_unknown_length_has_no_total(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with shown_progress("import of -", "lines") as advance:
        advance(500, None, 400)
    assert "500 lines" in terminal.getvalue()
    assert "%" not in terminal.getvalue().replace("0%", "")
