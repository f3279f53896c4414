"""Use case: when tokens were last used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from application.clock import Clock
from application.usage.ports import UsageStore
from domain.token import Token


class TokenUses:
    """Looks up the last uses of tokens. Blocks."""

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def __call__(self, organization: str, tokens: Iterable[Token]) -> Mapping[str, datetime]:
        """Return when some of an organization's tokens were last used, by their ids.

        Tokens that were never used or are not active are left out: the uses of the latter are
        forgotten. A use of the last minute may be missing. Raises LogUnavailable.
        """
        now = self._clock()
        uses = self._store.token_uses(organization)
        return {
            token.id: datetime.fromtimestamp(uses[token.id] // 1000, UTC)
            for token in tokens
            if token.id in uses and token.is_active(now)
        }
