"""Refused points in memory pass the contract of RefusedPoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.memory.refused_points import MemoryRefusedPoints
from application.publishing.refused_points import RefusedPoints
from tests.application.doubles import FakeClock
from tests.contracts.refused_points import RefusedPointsContract


class TestMemoryRefusedPoints(RefusedPointsContract):
    @contextmanager
    def open_refused(self) -> Iterator[RefusedPoints]:
        yield MemoryRefusedPoints(FakeClock())
