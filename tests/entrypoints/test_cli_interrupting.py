"""Signals during long work: it stops between two steps."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from application.projections.replay import ReplayProgress
from entrypoints.cli.context import terminated_in_order
from entrypoints.cli.interrupting import Interrupted, asked_to_stop, stopping
from entrypoints.stop_signals import ENDING, STOPPING
from tests.entrypoints.cli_in_memory import CommandLine


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_stops_the_work_before_the_next_step(number: signal.Signals) -> None:
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


def test_a_second_signal_stops_the_work_immediately() -> None:
    def work() -> None:
        with asked_to_stop():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("not reached")

    with pytest.raises(Interrupted):
        work()


def test_an_error_after_a_signal_is_an_interruption() -> None:
    def work() -> None:
        with asked_to_stop():
            signal.raise_signal(signal.SIGTERM)
            raise RuntimeError("Query interrupted")

    with pytest.raises(Interrupted):
        work()


def test_without_a_signal_errors_pass_and_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with asked_to_stop():
            raise RuntimeError("of our own")

    with pytest.raises(RuntimeError):
        work()
    assert signal.getsignal(signal.SIGTERM) is before


def test_progress_is_reported_before_the_work_stops() -> None:
    reported: list[ReplayProgress] = []
    progress = ReplayProgress(1, 2, 3)

    def work() -> None:
        with asked_to_stop() as check:
            signal.raise_signal(signal.SIGINT)
            stopping(reported.append, check)(progress)

    with pytest.raises(Interrupted):
        work()
    assert reported == [progress]


def test_an_interrupted_query_is_not_a_defect(cave: CommandLine) -> None:
    cave.failure = RuntimeError("Query interrupted")
    result = cave("projections")
    assert (result.exit_code, result.stderr) == (1, "Aborted!\n")


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_ends_the_process_leaves_by_an_exception(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    closed = []

    def work() -> None:
        with terminated_in_order():
            try:
                signal.raise_signal(number)
            finally:
                closed.append(number)

    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        work()
    assert closed == [number]
    if number == signal.SIGINT:  # click reports Ctrl-C
        assert isinstance(ended.value, KeyboardInterrupt)
    else:
        assert isinstance(ended.value, SystemExit)
        assert ended.value.code == 128 + number
    assert signal.getsignal(number) is before


def test_an_exit_replaced_by_a_librarys_error_is_restored() -> None:
    def work() -> None:
        with terminated_in_order():
            try:
                signal.raise_signal(signal.SIGHUP)
            except SystemExit:
                raise RuntimeError("Query interrupted") from None

    with pytest.raises(SystemExit) as ended:
        work()
    assert ended.value.code == 128 + signal.SIGHUP


@pytest.mark.parametrize("number", sorted({*ENDING, *STOPPING}))
@pytest.mark.parametrize("handling", [terminated_in_order, asked_to_stop])
def test_a_signal_ignored_at_the_start_stays_ignored(
    number: signal.Signals, handling: Callable[[], AbstractContextManager[object]]
) -> None:
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with handling():
            signal.raise_signal(number)
            assert signal.getsignal(number) is signal.SIG_IGN
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)
