"""Waiting until a published batch can be read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic

from application.errors import UnknownReceipt
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import NotReadableYet, ProjectionMissing
from application.projections.folds import METRIC_NAMES, POINTS
from application.reading.ports import ProjectionPositions

PATIENCE = 5.0
"""Seconds that a request waits for a batch, as documented for clients."""

INTERVAL = 0.1
"""Seconds between reads of the projections' positions, however many requests are waiting."""

Positions = Mapping[int, int]


class ReadableReceipts:
    """Waits for batches to become readable. For one event loop."""

    def __init__(
        self,
        projections: ProjectionPositions,
        log: MetricLogReader,
        *,
        patience: float = PATIENCE,
        interval: float = INTERVAL,
    ) -> None:
        self._projections = projections
        self._log = log
        self._patience = patience
        self._interval = interval
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0.0
        self._positions: list[Positions] = []

    async def wait(self, organization: str, receipt: Receipt) -> None:
        """Return once every projection of points holds the batch.

        Raises UnknownReceipt unless an event of the organization in the log has the receipt,
        however far the projections are; NotReadableYet if it takes too long, LogUnavailable
        and StoreUnavailable.
        """
        if not await asyncio.to_thread(self._log.has, receipt, organization):
            raise UnknownReceipt(f"organization {organization!r} has no batch {receipt}")
        try:
            async with asyncio.timeout(self._patience):
                while not self._holds(receipt):
                    await self._look()
        except TimeoutError:
            raise NotReadableYet(
                f"the batch {receipt} cannot be read yet, after {self._patience:g} s; try again"
            ) from None

    def _holds(self, receipt: Receipt) -> bool:
        return bool(self._positions) and all(
            positions.get(receipt.partition, 0) >= receipt.position for positions in self._positions
        )

    async def _look(self) -> None:
        """Read the projections' positions, sharing one read with all other callers."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_in_time())
            # If it fails when nobody is waiting any more, its exception must still be retrieved.
            self._looking.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._looking)

    async def _look_in_time(self) -> None:
        await asyncio.sleep(max(0.0, self._looked_at + self._interval - monotonic()))
        self._positions = await asyncio.to_thread(
            lambda: [self._read_so_far(projection.name) for projection in (POINTS, METRIC_NAMES)]
        )
        self._looked_at = monotonic()

    def _read_so_far(self, projection: str) -> Positions:
        try:
            return self._projections.positions(projection)
        except ProjectionMissing:  # the service has just started for the first time
            return {}
