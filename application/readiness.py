"""Use case: whether a worker can serve, and what needs a person's attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from application.archiving.watch import LogWatch
from application.organizations.token_directory import MAX_SILENCE, TokenDirectory
from application.projections.status import State
from application.projections.watch import ProjectionWatch
from application.publishing.ports import IdempotencyRecords

NEARLY_FULL = 80
"""Percent of the limit of idempotency keys from which on it is a warning."""


class LogHealth(Protocol):
    """Whether the log can be appended to."""

    async def failures(self) -> Sequence[str]:
        """Return why something cannot be appended now, per server; none if all is well.

        Never raises.
        """

    def idempotency(self) -> IdempotencyRecords:
        """Return how many idempotency keys are remembered, and how many may be. Never raises."""


class ReadinessReport(Struct, frozen=True):
    """`problems` are the reasons why the worker is not ready.

    `warnings` do not keep it from serving: a weak log server, lost events of organizations, gaps in
    the log, an archive that fails, little room for idempotency keys, a projection that is stopped
    or lags. `projections` has the state of each, none if it is unknown.
    """

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    projections: Mapping[str, State] = {}


class ReadinessHandler:
    """`weaknesses` are those of the log server, found when it was opened."""

    def __init__(
        self,
        log: LogHealth,
        directory: TokenDirectory,
        projections: ProjectionWatch,
        watch: LogWatch,
        weaknesses: tuple[str, ...],
    ) -> None:
        self._log = log
        self._watch = watch
        self._directory = directory
        self._projections = projections
        self._weaknesses = weaknesses

    async def __call__(self) -> ReadinessReport:
        """Check now. Never raises: what cannot be found out is a problem or a warning."""
        problems = list(await self._log.failures())
        status = self._directory.status
        if not status.caught_up:
            problems.append("the token directory has not caught up with the log yet")
        elif status.silence > MAX_SILENCE:
            problems.append(
                f"the token directory has not heard from the log for {status.silence:.0f} s"
            )
        warnings = (
            *self._weaknesses,
            *_lost_organizations(status.lost),
            *await self._watch.warnings(),
            *_nearly_full(self._log.idempotency()),
            *await self._projections.warnings(),
        )
        return ReadinessReport(tuple(problems), warnings, await self._projections.states())


def _lost_organizations(last: int | None) -> list[str]:
    if last is None:
        return []
    return [
        f"the organizations' log has lost its end, up to event {last}: what was changed last in "
        "organizations, teams and tokens is undone; tokens that were revoked then work again"
    ]


def _nearly_full(keys: IdempotencyRecords) -> list[str]:
    if keys.records * 100 < keys.limit * NEARLY_FULL:
        return []
    return [
        f"{keys.records:,} idempotency keys are remembered, of {keys.limit:,} that "
        "--idempotency-memory allows; at the limit, publishes with a new key are refused"
    ]
