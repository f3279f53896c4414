"""Use case: accept that events of the log are lost, so that it goes on behind the gap."""

from __future__ import annotations

from msgspec import Struct

from application.archiving.archiver import Archiver
from application.errors import LogGap, LogUnfit
from application.event_log.ports import HotLog
from application.event_log.receipts import Receipt


class AcceptedLoss(Struct, frozen=True, kw_only=True):
    """A loss between two places, both exclusive; `after` is None at the beginning of the log.

    `events` is how many are missing, as far as is known.
    """

    partition: int
    after: Receipt | None
    before: Receipt
    events: int


class AcceptLossHandler:
    """Records losses in the archive, as part of the chain, or on the server if there is none."""

    def __init__(self, hot: HotLog, archiver: Archiver | None) -> None:
        self._hot = hot
        self._archiver = archiver

    def __call__(self, partition: int, gap: LogGap) -> AcceptedLoss:
        """Accept the loss of a gap. Raises as `Archiver.accept_loss`.

        Without an archive, only the loss of the log's end can be accepted, else LogUnfit is raised.
        """
        if self._archiver is not None:
            loss = self._archiver.accept_loss(partition, gap)
            return AcceptedLoss(
                partition=partition, after=loss.after, before=loss.before, events=loss.entries
            )
        noted = {lost.first: lost for lost in self._hot.extent(partition).lost}
        if (lost := noted.get(gap.first)) is None:
            raise LogUnfit(
                "the log has no archive to record this loss in; name one with --archive, "
                f"or rebuild the projections with `cave replay --accept-loss`: {gap}"
            )
        self._hot.accept_lost(lost)
        first, last = lost.first.position, lost.last.position
        return AcceptedLoss(
            partition=partition,
            after=Receipt.at(partition, first - 1) if first > 1 else None,
            before=Receipt.at(partition, last + 1),
            events=0,
        )
