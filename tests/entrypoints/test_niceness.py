"""Niceness that follows lag, for a user without privileges."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from entrypoints.processes.niceness import (
    BUSY,
    HOLD,
    LATE,
    NICENESS,
    NICENESS_AMONG_US,
    QUIET,
    FollowsLag,
)
from entrypoints.processes.processor_time import Shares

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads have it on Linux only")

NOBODY = 65534
NICEST = 19


class World:
    def __init__(self) -> None:
        self.now = 1000.0
        self.shares = Shares(ours=0.1, others=BUSY)
        self.added = NICENESS
        self.priority = FollowsLag(lambda: self.shares, lambda: self.now)
        self.usual = niceness()

    def is_nice(self, late: float = 0.0) -> bool:
        """Return whether work is nicer than this process, and check that it is as it should be."""
        found = self.priority.run(niceness, late)
        assert found in {self.usual, min(self.usual + self.added, NICEST)}
        return found > self.usual


def niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with closing(world.priority):
        yield world


def test_work_on_time_is_nice_and_late_work_is_not(world: World) -> None:
    assert world.is_nice(-0.5)
    assert not world.is_nice(LATE)
    assert not world.is_nice(math.inf)


def test_all_work_keeps_its_priority_for_a_while_after_any_was_late(world: World) -> None:
    world.is_nice(LATE)
    world.now += HOLD - 1
    assert not world.is_nice()
    world.now += 2
    assert world.is_nice()
    assert not world.is_nice(LATE)


def test_work_is_nice_again_as_soon_as_others_no_longer_compete(world: World) -> None:
    """Else a second of theirs would cost publishing half of a core for as long as it is held."""
    assert not world.is_nice(LATE)
    world.shares = Shares(ours=0.1, others=QUIET)
    assert not world.is_nice()
    world.shares = Shares(ours=0.1, others=QUIET - 0.01)
    assert world.is_nice(LATE)
    world.shares = Shares(ours=0.1, others=QUIET)
    assert world.is_nice(LATE)


def test_late_work_stays_nice_while_nobody_else_keeps_the_processors_busy(world: World) -> None:
    world.shares = Shares(ours=0.1, others=0.1)
    assert world.is_nice(math.inf)
    world.shares = Shares(ours=0.1, others=BUSY)
    assert not world.is_nice(LATE)


def test_work_is_nicer_while_only_the_service_keeps_the_processors_busy(world: World) -> None:
    world.shares = Shares(ours=BUSY, others=0.1)
    world.added = NICENESS_AMONG_US
    assert world.is_nice()
    assert world.is_nice(LATE)
    assert world.is_nice(math.inf)
    world.shares = Shares(ours=BUSY, others=BUSY)
    world.added = NICENESS
    assert world.is_nice()
    assert not world.is_nice(LATE)


def test_the_caller_does_not_become_nice(world: World) -> None:
    world.is_nice()
    assert niceness() == world.usual


def test_work_raises_what_it_raises_at_either_priority(world: World) -> None:
    for late in (0.0, LATE):
        with pytest.raises(ZeroDivisionError):
            world.priority.run(lambda: 1 // 0, late)


def test_it_takes_no_privilege() -> None:
    """Run by a user who may not lower a niceness, like `cave` on most machines."""
    program = f"""
import os
from tests.entrypoints.test_niceness import World
if os.getuid() == 0:
    os.setuid({NOBODY})
world = World()
found = [world.is_nice(late) for late in (0, 9)]
world.now += 99
found += [world.is_nice(late) for late in (0, 9)]
os.nice(1)
try:
    os.nice(-1)
except PermissionError:
    print(found)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str([True, False, True, False]), done.stderr
