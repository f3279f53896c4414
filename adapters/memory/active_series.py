"""Active series in memory. Skips: sharing them with other processes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from application.clock import Clock, milliseconds
from application.publishing.active_series import Admitted

DAY_MS = 24 * 60 * 60 * 1000


class MemoryActiveSeries:
    """Implements the port ActiveSeries."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last_days: defaultdict[str, dict[bytes, int]] = defaultdict(dict)

    async def admit(
        self, organization: str, series: Sequence[bytes], limit: int, *, whole: bool
    ) -> Admitted:
        day, passed = divmod(milliseconds(self._clock), DAY_MS)
        left = (DAY_MS - passed) / 1000
        active = self._active(organization, day)
        after = dict(active)
        refused = []
        for index, each in enumerate(series):
            if each in after or len(after) < limit:
                after[each] = day
            else:
                refused.append(index)
        if refused and whole:
            after = active
        self._last_days[organization] = after
        wait = left if day - 1 in after.values() else left + DAY_MS / 1000
        noted_for = 0.0 if refused and whole else left
        return Admitted(refused, len(after), noted_for, wait if refused else 0.0)

    def count(self, organization: str) -> int:
        return len(self._active(organization, milliseconds(self._clock) // DAY_MS))

    def _active(self, organization: str, day: int) -> dict[bytes, int]:
        last_days = self._last_days[organization]
        return {each: last for each, last in last_days.items() if last >= day - 1}
