"""Use case: record what a worker's requests used, every few seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import structlog

from application.clock import Clock, milliseconds
from application.errors import DirectoryStale, LogError
from application.organizations.token_directory import TokenDirectory
from application.usage.counter import Counted, UsageCounter
from application.usage.ports import MINUTE_MS, OwnToken, UsageStore
from domain.errors import UnknownOrganization

EVERY_SECONDS = 5.0
USE_EVERY = MINUTE_MS
"""Milliseconds between two writes of a token's last use: its resolution."""

PRUNE_EVERY = 60 * MINUTE_MS
"""Milliseconds between two looks at an organization's uses for those of inactive tokens."""

_log = structlog.get_logger(__name__)


class UsageRecorder:
    """Writes what `counter` counted to `store`. For one event loop, which no call blocks.

    A use counts for the time at which it is taken from the counter, up to `EVERY_SECONDS` later.
    Points that cannot be written are lost, since they may have been written after all. The uses of
    tokens are kept until they can be written.
    """

    def __init__(
        self, counter: UsageCounter, store: UsageStore, directory: TokenDirectory, clock: Clock
    ) -> None:
        self._counter = counter
        self._store = store
        self._directory = directory
        self._clock = clock
        self._unwritten: dict[OwnToken, int] = {}
        self._written: dict[OwnToken, int] = {}
        self._pruned: set[str] = set()
        self._prune_due = 0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Record every few seconds, and once more when stopped."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), EVERY_SECONDS)
            await self.record(last=self._stopping.is_set())

    def stop(self) -> None:
        self._stopping.set()

    async def record(self, *, last: bool = False) -> None:
        """Record now; with `last` also the uses that would wait. Logs a failure of the store."""
        counted = self._counter.take()
        now = milliseconds(self._clock)
        self._unwritten |= dict.fromkeys(counted.tokens, now)
        self._written = {t: at for t, at in self._written.items() if now - at < USE_EVERY}
        due = {t: at for t, at in self._unwritten.items() if last or t not in self._written}
        try:
            await asyncio.to_thread(self._write, counted, due, now)
        except LogError as error:
            _log.warning("what organizations used cannot be recorded", reason=str(error))
            return
        for token in due:
            del self._unwritten[token]
            self._written[token] = now

    def _write(self, counted: Counted, uses: Mapping[OwnToken, int], now: int) -> None:
        points = {o: points for o, points in counted.points.items() if not self._is_erased(o)}
        if points:
            self._store.add_points(now // MINUTE_MS, points)
        active = {token: at for token, at in uses.items() if self._is_active(*token)}
        if active:
            self._store.set_token_uses(active)
        self._prune({organization for organization, _ in uses}, now)

    def _is_erased(self, organization: str) -> bool:
        with suppress(UnknownOrganization, DirectoryStale):
            return self._directory.organization(organization).erased_at is not None
        return False

    def _is_active(self, organization: str, token_id: str) -> bool:
        with suppress(UnknownOrganization, DirectoryStale):
            token = self._directory.organization(organization).tokens.get(token_id)
            return token is not None and token.is_active(self._clock())
        return True

    def _prune(self, organizations: set[str], now: int) -> None:
        """Forget the uses of tokens that were revoked or have expired."""
        if now >= self._prune_due:
            self._pruned.clear()
            self._prune_due = now + PRUNE_EVERY
        for name in organizations - self._pruned:
            try:
                tokens = self._directory.organization(name).tokens
            except (UnknownOrganization, DirectoryStale):
                continue
            at = self._clock()
            # One that the directory does not know yet was issued a moment ago.
            known = [tokens[i] for i in self._store.token_uses(name) if i in tokens]
            inactive = [token.id for token in known if not token.is_active(at)]
            if inactive:
                self._store.forget_tokens(name, inactive)
            self._pruned.add(name)
