"""Use case: publish batches of metric points that arrive at the same time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from application.clock import Clock, milliseconds
from application.errors import LogError
from application.event_log.receipts import Receipt
from application.organizations.access import Grant
from application.publishing.ports import BodyTerms, MetricLog, SharedFormat
from application.usage.counter import UsageCounter
from domain.events import MetricsPublished
from domain.metric_point import PointBatch


class PublishTogether:
    """Decodes batches by one call, and appends their events by one write.

    It takes plain batches only: valid ones, without a key, of organizations without limits.
    `PublishMetricsHandler` takes any, and has the same limits.
    """

    def __init__(
        self,
        log: MetricLog,
        usage: UsageCounter,
        clock: Clock,
        *,
        max_future_ms: int,
        max_points: int,
        is_limited: Callable[[str], bool],
    ) -> None:
        self._log = log
        self._usage = usage
        self._clock = clock
        self._max_future_ms = max_future_ms
        self._max_points = max_points
        self._is_limited = is_limited

    def takes(self, organization: str) -> bool:
        """Return whether an organization's batches are plain: it has no quota, no other limit.

        None are if the log is on several servers: one that hangs would hold up all of a group.
        """
        return self._log.single_server and not self._is_limited(organization)

    def decoded(
        self, point_format: SharedFormat, bodies: Sequence[bytes]
    ) -> Sequence[PointBatch | None]:
        """Return the points of each body, None for one that has to be published by itself."""
        now = milliseconds(self._clock)
        terms = BodyTerms(now + self._max_future_ms, now, self._max_points)
        return point_format.decode_together(bodies, terms)

    async def __call__(self, events: Sequence[MetricsPublished]) -> Sequence[Receipt | LogError]:
        """Append events, and return the receipt of each or the error of its append.

        Raises what MetricLog.append_together raises.
        """
        results = await self._log.append_together(events)
        for event, result in zip(events, results, strict=True):
            if isinstance(result, Receipt):
                self._usage.accepted(event.organization, len(event.points))
        return results


def event_of(grant: Grant, points: PointBatch) -> MetricsPublished:
    """Return the event of a batch."""
    return MetricsPublished(
        organization=grant.organization, team=grant.team, token_id=grant.token_id, points=points
    )
