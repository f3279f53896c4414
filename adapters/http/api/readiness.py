"""Whether a worker can serve, for `/health/ready`."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class ReadinessReport(Struct, frozen=True):
    """`problems` says in words why the worker is not ready; `warnings` what needs a person."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class Readiness(Protocol):
    async def report(self) -> ReadinessReport:
        """Look now: does the log answer, are token directory and projections up to date.

        Never raises; what cannot be found out is a problem or a warning.
        """
