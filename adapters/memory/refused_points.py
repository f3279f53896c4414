"""Refused points in memory. Skips: failures, more than one process."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence

from application.clock import Clock, milliseconds
from application.organizations.access import Grant
from application.publishing.refusals import Refusals
from application.publishing.refused_points import MAX_REFUSED, KeptRefusal


class MemoryRefusedPoints:
    """Implements the port RefusedPoints."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, deque[KeptRefusal]] = defaultdict(lambda: deque(maxlen=MAX_REFUSED))

    async def record(self, grant: Grant, protocol: str, refused: Refusals) -> None:
        now = milliseconds(self._clock)
        self._kept[grant.organization] += [
            KeptRefusal(now, grant.team, grant.token_id, protocol, point) for point in refused.first
        ]

    def last(self, organization: str) -> Sequence[KeptRefusal]:
        return list(self._kept[organization])

    def forget(self, organization: str) -> None:
        self._kept.pop(organization, None)
