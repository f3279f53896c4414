"""Whether a worker can serve, for `/health/ready`."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class ReadinessReport(Struct, frozen=True):
    """`problems` says in words why the worker is not ready; `warnings` what it is weak in."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Readiness(Protocol):
    async def report(self) -> ReadinessReport:
        """Look now: does the log answer, has the token directory caught up. Never raises."""
