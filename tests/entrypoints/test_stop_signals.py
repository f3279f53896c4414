"""The signals that ask a process to stop, and how they are counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from entrypoints import stop_signals
from entrypoints.cli.context import terminated_in_order
from entrypoints.cli.interrupting import asked_to_stop
from entrypoints.demo import processes as demo_processes
from entrypoints.processes.signals import Signals
from entrypoints.stop_signals import APART_SECONDS, STOPPING, on_stop

TAKERS = [
    terminated_in_order,
    asked_to_stop,
    Signals,
    demo_processes._signals_held,
    lambda: on_stop(lambda _: None),
]


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(stop_signals, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Start with the handlers of a new process, and restore the test run's afterwards."""
    former = {number: signal.signal(number, signal.SIG_DFL) for number in STOPPING}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("number", STOPPING)
def test_ignored_signals_stay_ignored_and_the_others_are_handled(taker, number) -> None:  # type: ignore[no-untyped-def]
    signal.signal(number, signal.SIG_IGN)
    with taker():
        taken = {stop for stop in STOPPING if callable(signal.getsignal(stop))}
        assert taken == {*STOPPING} - {number}
        assert signal.getsignal(number) is signal.SIG_IGN
    assert {signal.getsignal(stop) for stop in STOPPING} == {signal.SIG_IGN, signal.SIG_DFL}


@pytest.mark.parametrize("number", STOPPING)
def test_signals_that_belong_to_one_stop_count_once(clock: Clock, number: signal.Signals) -> None:
    asked: list[int] = []
    with on_stop(asked.append):
        for other in (number, number, *STOPPING):
            signal.raise_signal(other)
        assert asked == [number]
        clock.now += APART_SECONDS
        signal.raise_signal(number)
        assert asked == [number, number]


def test_frequent_repetitions_are_counted_now_and_then(clock: Clock) -> None:
    asked: list[int] = []
    with on_stop(asked.append):
        for _ in range(21):
            signal.raise_signal(signal.SIGINT)
            clock.now += APART_SECONDS / 4
    assert len(asked) == 6


def test_end_of_file_from_the_supervisor_is_a_request_to_stop() -> None:
    read, write = os.pipe()
    with Signals(read) as signals:
        signals.wait(0)
        assert signals.stops == 0
        os.close(write)
        for _ in range(3):
            signals.wait(0)
        assert signals.stops == 1
    os.close(read)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_command_cleans_up(number: signal.Signals) -> None:
    closed = []

    def command() -> None:
        with terminated_in_order():
            try:
                signal.raise_signal(number)
            finally:
                signal.raise_signal(number)  # as `timeout` does, to the process and to its group
                closed.append(number)

    with pytest.raises(SystemExit) as left:
        command()
    assert left.value.code == 128 + number
    assert closed == [number]
