"""Who uses the processors: the service, or others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from entrypoints.processes.processor_time import ProcessorTime
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is looked at on Linux only")

PATIENCE = 60.0
NO_PROCESS = 1 << 30
BUSY = "while True: pass"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"


@contextmanager
def running(program: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", program], process_group=0)
    try:
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.fixture
def one_processor() -> Iterator[None]:
    """Let this process and those it starts use one processor only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("one_processor")
def test_descendants_are_the_service_and_all_other_processes_are_others() -> None:
    with running(PARENT) as parent:
        of_parent, of_another = ProcessorTime(parent.pid), ProcessorTime(NO_PROCESS)
        # The machine's other processes may take most of the processor, and count for both.
        wait_until(lambda: of_parent.shares().ours > 0.2, PATIENCE, every=0.1)
        wait_until(lambda: of_another.shares().others > 0.2, PATIENCE, every=0.1)
        assert of_another.shares().ours < 0.2


def test_a_service_that_has_ended_leaves_this_process() -> None:
    shares = ProcessorTime(NO_PROCESS).shares()
    assert shares == (0, 0)
