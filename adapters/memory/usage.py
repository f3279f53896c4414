"""What organizations use, in memory. Skips: failures, more than one process, forgetting in time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from application.publishing.refusals import Reason
from application.usage.ports import MINUTES, MinuteUsage, OwnToken, PointUsage


class MemoryUsageStore:
    """Implements the port UsageStore."""

    def __init__(self) -> None:
        self._accepted: Counter[tuple[str, int]] = Counter()
        self._refused: defaultdict[tuple[str, int], Counter[tuple[str, Reason]]] = defaultdict(
            Counter
        )
        self._uses: defaultdict[str, dict[str, int]] = defaultdict(dict)

    def add_points(self, minute: int, points: Mapping[str, PointUsage]) -> None:
        for organization, added in points.items():
            self._accepted[organization, minute] += added.accepted
            self._refused[organization, minute].update(added.refused)

    def points(self, organization: str, minute: int) -> Sequence[MinuteUsage]:
        found = []
        for each in range(minute - MINUTES, minute + 1):
            key = organization, each
            usage = PointUsage(self._accepted[key], dict(self._refused[key]))
            if usage.accepted or usage.refused:
                found.append(MinuteUsage(each, usage))
        return found

    def set_token_uses(self, uses: Mapping[OwnToken, int]) -> None:
        for (organization, token_id), at in uses.items():
            known = self._uses[organization]
            known[token_id] = max(at, known.get(token_id, at))

    def token_uses(self, organization: str) -> Mapping[str, int]:
        return dict(self._uses[organization])

    def forget_tokens(self, organization: str, token_ids: Collection[str]) -> None:
        for token_id in token_ids:
            self._uses[organization].pop(token_id, None)

    def forget(self, organization: str) -> None:
        self._uses.pop(organization, None)
        for counts in (self._accepted, self._refused):
            for key in [key for key in counts if key[0] == organization]:
                del counts[key]
