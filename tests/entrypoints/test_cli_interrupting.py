"""Signals for long work: noted, and obeyed between two steps."""

from __future__ import annotations

import signal

import pytest

from application.projections.replay import ReplayProgress
from entrypoints.cli.interrupting import Interrupted, asked_to_stop, stopping
from tests.entrypoints.cli_in_memory import CommandLine


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_obeyed_at_the_next_step(number: signal.Signals) -> None:
    steps = []

    def work() -> None:
        with asked_to_stop() as check:
            check()
            signal.raise_signal(number)
            steps.append("done all the same")
            check()

    with pytest.raises(Interrupted):
        work()
    assert steps == ["done all the same"]


def test_a_second_signal_is_obeyed_at_once() -> None:
    def work() -> None:
        with asked_to_stop():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("not reached")

    with pytest.raises(Interrupted):
        work()


def test_what_an_interrupted_step_raises_is_an_interruption() -> None:
    def work() -> None:
        with asked_to_stop():
            signal.raise_signal(signal.SIGTERM)
            raise RuntimeError("Query interrupted")

    with pytest.raises(Interrupted):
        work()


def test_without_a_signal_errors_are_errors_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with asked_to_stop():
            raise RuntimeError("of our own")

    with pytest.raises(RuntimeError):
        work()
    assert signal.getsignal(signal.SIGTERM) is before


def test_progress_is_told_before_the_work_stops() -> None:
    told: list[ReplayProgress] = []
    progress = ReplayProgress(1, 2, 3)

    def work() -> None:
        with asked_to_stop() as check:
            signal.raise_signal(signal.SIGINT)
            stopping(told.append, check)(progress)

    with pytest.raises(Interrupted):
        work()
    assert told == [progress]


def test_a_query_that_was_interrupted_is_no_defect(cave: CommandLine) -> None:
    cave.failure = RuntimeError("Query interrupted")
    result = cave("projections")
    assert (result.exit_code, result.stderr) == (1, "Aborted!\n")
