"""Use case: record descriptions of metrics, those that are new or have changed.

Agents send the same descriptions again every minute, or with every batch. So each worker remembers
them, and most of the time a look-up per description is all that happens.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import monotonic as system_monotonic

from application.organizations.access import Grant
from application.projections.errors import ProjectionError
from application.publishing.ports import Appended, KnownDescriptions, MetricLog
from application.reading.query_threads import QueryThreads
from domain.events import MetricsDescribed
from domain.metric_description import MetricDescription

MAX_MEMORY = 32 << 20
"""Bytes of the descriptions that a worker remembers, about."""

MEMORY_SECONDS = 15 * 60.0
"""Seconds after which an owner's descriptions are read again: other workers record some too."""

RETRY_SECONDS = 10.0
"""Seconds until they are read again if they could not be read."""

PATIENCE = 2.0
"""Seconds that a publish waits for them."""

MAX_CHANGES = 3
"""How often a metric's description may change until they are read again. Two releases of a program
may have two help texts of one metric, and would change it in turn without end."""

OVERHEAD = 500
"""Bytes of a description or an owner in CPython, besides the characters."""

Owner = tuple[str, str | None]


class _Known:
    """What a worker knows of an owner's metrics until `expires`, on the monotonic clock.

    `size` is in bytes, and `counted` is how much of that its keeper has counted.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.expires = 0.0
        self.size = OVERHEAD
        self.counted = 0
        self._descriptions: dict[str, MetricDescription] = {}
        self._changes: dict[str, int] = {}

    def news(self, descriptions: Iterable[MetricDescription]) -> list[MetricDescription]:
        """Return the descriptions that differ from what is known; of those of a name, the last."""
        known, changes = self._descriptions, self._changes
        last = {description.name: description for description in descriptions}
        return [
            description
            for name, description in last.items()
            if known.get(name) != description and changes.get(name, 0) < MAX_CHANGES
        ]

    def replace(self, found: Mapping[str, MetricDescription]) -> None:
        """Forget everything, and know what was found."""
        self._descriptions = dict(found)
        self._changes = {}
        self.size = OVERHEAD + sum(map(_bytes, found.values()))

    def add(self, recorded: Iterable[MetricDescription]) -> None:
        for description in recorded:
            name = description.name
            before = self._descriptions.get(name)
            if before is not None:
                self.size -= _bytes(before)
                self._changes[name] = self._changes.get(name, 0) + 1
            self._descriptions[name] = description
            self.size += _bytes(description)


class DescribeMetricsHandler:
    """Appends an event with what is new. For one event loop.

    What is known of an owner is read from the projection when it is first needed, in one of
    `threads`. If it cannot be read now, everything counts as new: a repeated description does no
    harm. `monotonic` returns seconds, and `max_memory` is in bytes.
    """

    def __init__(
        self,
        log: MetricLog,
        projection: KnownDescriptions,
        threads: QueryThreads,
        *,
        monotonic: Callable[[], float] = system_monotonic,
        max_memory: int = MAX_MEMORY,
    ) -> None:
        self._log = log
        self._projection = projection
        self._threads = threads
        self._monotonic = monotonic
        self._max_memory = max_memory
        self._size = 0
        self._owners: OrderedDict[Owner, _Known] = OrderedDict()

    async def __call__(
        self, grant: Grant, descriptions: Sequence[MetricDescription]
    ) -> Appended | None:
        """Append one event with the descriptions that differ from what is known, if any does.

        `grant` is for the scope `publish`. Of the descriptions of a name, the last one counts.
        Returns once the event is durable; None if there was nothing to append. Raises what
        MetricLog.append raises; what was not appended is new again the next time.
        """
        owner = grant.organization, grant.team
        known = self._owners.get(owner)
        if known is None:
            known = self._owners[owner] = _Known()
        self._owners.move_to_end(owner)
        if self._monotonic() < known.expires and not known.news(descriptions):
            return None
        # A task, since a plain publish has none, and timeouts need one.
        return await asyncio.create_task(self._record(grant, known, descriptions))

    async def _record(
        self, grant: Grant, known: _Known, descriptions: Sequence[MetricDescription]
    ) -> Appended | None:
        owner = grant.organization, grant.team
        # Agents start together: the second one finds what the first one has recorded.
        async with known.lock:
            try:
                if self._monotonic() >= known.expires:
                    await self._read(owner, known)
                return await self._append(grant, known, known.news(descriptions))
            finally:
                self._count(owner, known)

    async def _append(
        self, grant: Grant, known: _Known, news: list[MetricDescription]
    ) -> Appended | None:
        if not news:
            return None
        appended = await self._log.append(
            MetricsDescribed(
                organization=grant.organization,
                team=grant.team,
                token_id=grant.token_id,
                descriptions=tuple(news),
            )
        )
        known.add(news)
        return appended

    async def _read(self, owner: Owner, known: _Known) -> None:
        """Read what the projection knows; if that is not possible, keep what is known."""
        try:
            async with asyncio.timeout(PATIENCE):
                found = await self._threads.run(lambda: self._projection.descriptions(*owner))
        except (ProjectionError, TimeoutError):
            known.expires = self._monotonic() + RETRY_SECONDS
            return
        known.replace(found)
        known.expires = self._monotonic() + MEMORY_SECONDS

    def _count(self, owner: Owner, known: _Known) -> None:
        """Count what an owner takes, and forget those used least recently if it is too much."""
        if self._owners.get(owner) is not known:
            return  # it was forgotten meanwhile
        self._size += known.size - known.counted
        known.counted = known.size
        while self._size > self._max_memory:
            _, forgotten = self._owners.popitem(last=False)
            self._size -= forgotten.counted


def _bytes(description: MetricDescription) -> int:
    return description.size() + OVERHEAD
