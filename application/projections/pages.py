"""Pages of the log for projections: the events after a checkpoint, which is checked first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from application.event_log.ports import Recorded, SkippedMetrics
from application.event_log.reader import MetricLogReader
from application.event_log.receipts import Receipt
from application.projections.errors import ProjectionDiverged
from application.projections.ports import Checkpoint
from domain.events import MetricEvent

LAST = (1 << 63) - 1
"""The position above which no partition has any event."""

Passed = Recorded | SkippedMetrics


class Pages(Protocol):
    """The events of the log, page by page. For one thread."""

    def after(self, known: Checkpoint, limit: int) -> Sequence[Passed]:
        """Return at most `limit` events after a checkpoint; none only if the log has none now.

        At position 0, those are the first events. Events of types that the projection does not
        fold may be there as SkippedMetrics, or decoded. Raises ProjectionDiverged if the log does
        not have the checkpoint's own event, and what reading the log raises.
        """


class OwnPages:
    """Implements Pages for one projection alone, which folds events of one type.

    Events of other types are not decoded; with None, all events are.
    """

    def __init__(self, log: MetricLogReader, event: type[MetricEvent] | None) -> None:
        self._log = log
        self._event = event

    def after(self, known: Checkpoint, limit: int) -> Sequence[Passed]:
        if known.position == 0:
            return self._log.read_only(self._event, known.partition, 0, limit)
        found = self._log.read_from(self._event, known.partition, known.position, limit)
        check(known, found)
        return found[1:]


def check(known: Checkpoint, found: Sequence[Passed]) -> None:
    """Compare a checkpoint with what the log has from there on. Raises ProjectionDiverged."""
    receipt = Receipt.at(known.partition, known.position)
    if not found or found[0].receipt != receipt:
        raise ProjectionDiverged(f"the event {receipt}, read before, is no longer in the log")
    if found[0].digest != known.digest:
        raise ProjectionDiverged(f"the event {receipt} differs from the one that was read before")


def checkpoint_of(entry: Passed) -> Checkpoint:
    """Return the checkpoint of a projection that has read up to this event."""
    return Checkpoint(entry.receipt.partition, entry.receipt.position, entry.digest)
