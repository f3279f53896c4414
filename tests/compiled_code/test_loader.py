"""Compiled code is loaded in the background when it is first needed, and once."""

from __future__ import annotations

import threading

import structlog

from adapters.compiled_code import Loader
from tests.compiled_code.missing import raise_not_compiled


def test_the_first_call_starts_loading_and_nobody_waits() -> None:
    may_end = threading.Event()
    made: list[threading.Thread] = []

    def make() -> str:
        may_end.wait()
        made.append(threading.current_thread())
        return "scanner"

    loader = Loader("scan", make)
    assert loader.thread is None
    assert loader.get() is None
    assert loader.get() is None
    assert loader.thread is not None
    may_end.set()
    loader.thread.join()
    assert loader.get() == "scanner"
    assert made == [loader.thread]


def test_what_was_loaded_ahead_of_time_is_there_at_once() -> None:
    loader = Loader("scan", lambda: "scanner")
    loader.load()
    assert loader.get() == "scanner"
    assert loader.thread is None


def test_without_compiled_code_there_is_nothing_and_the_log_says_so_once() -> None:
    loader = Loader[str]("scan", raise_not_compiled)  # type: ignore[arg-type]
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert loader.get() is None
            assert loader.thread is not None
            loader.thread.join()
    [line] = lines
    assert (line["log_level"], line["task"]) == ("warning", "scan")
    assert line["reason"] == "Numba is not installed"
