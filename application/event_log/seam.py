"""The seam: where the archived part of a partition ends and the log server's part begins.

The server counts the entries that were ever added to a stream, and the archive numbers the
entries it holds. So the numbers on both sides are known without reading entries, and they have to
meet. If they do not, entries are missing.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from application.errors import LogGap
from application.event_log.archive import End
from application.event_log.ports import Extent
from application.event_log.receipts import Receipt

NumberAt = Callable[[int], int]
"""Returns the number of the last archived entry at or below a position."""

SHORTER = "the log server has a shorter log than the one that was archived"
OTHER = "the log server's events are not those that were archived"
LOST = "the log server that was promoted, or started again, does not have what was there before"


class Seam(Struct, frozen=True):
    """The server has all entries above the position `start`, and the archive those up to it.

    Unless there is a gap, which begins behind the archived entries.
    """

    start: int
    gap: LogGap | None = None


def seam_of(partition: int, extent: Extent, end: End, number_at: NumberAt) -> Seam:
    """Return the seam of a partition, from what the server and the archive say of it."""
    seam = _by_numbers(partition, extent, end, number_at)
    if seam.gap is None:
        for lost in extent.lost:
            if lost.last.position > end.position:
                first = max(lost.first, Receipt.at(partition, end.position + 1))
                return Seam(seam.start, LogGap(first, lost.last, None, LOST))
    return seam


def _by_numbers(partition: int, extent: Extent, end: End, number_at: NumberAt) -> Seam:
    archived = end.position
    if extent.added + end.offset < end.number:
        return Seam(archived, _unexplained(partition, extent, archived, SHORTER))
    if extent.first is None:
        missing = extent.added + end.offset - end.number
        overlaps = False
    else:
        # The number of the server's first entry, if it has all from there on.
        number = extent.added - extent.entries + 1 + end.offset
        overlaps = extent.first.position <= archived
        known = number_at(extent.first.position) if overlaps else end.number + 1
        missing = number - known
        if missing < 0:
            return Seam(archived, _unexplained(partition, extent, archived, OTHER))
        if not missing and overlaps:
            return Seam(extent.first.position - 1)
    deleted = extent.deleted
    if overlaps and deleted is not None and deleted.position <= archived:
        missing = 0  # only entries that the archive has were deleted
    return Seam(archived, _removed(partition, extent, archived, missing) if missing else None)


def _removed(partition: int, extent: Extent, archived: int, missing: int) -> LogGap:
    """Return the gap that trimming and deleting `missing` entries has left.

    The server names the last entry that was deleted singly, and no others.
    """
    deleted = extent.deleted
    if deleted is not None and deleted.position <= archived:
        deleted = None
    if deleted is not None and missing == 1:
        return LogGap(deleted, deleted, 1)
    first = Receipt.at(partition, archived + 1)
    if extent.first is None:
        return LogGap(first, extent.newest, missing)
    overlaps = extent.first.position <= archived
    before = Receipt.at(partition, extent.first.position - 1)
    last = before if deleted is None else max(before, deleted)
    return LogGap(first, max(first, last), None if overlaps else missing)


def _unexplained(partition: int, extent: Extent, archived: int, why: str) -> LogGap:
    """Return a gap behind the archived entries, up to the server's next one if that is known."""
    first = Receipt.at(partition, archived + 1)
    if extent.first is None or extent.first.position <= archived + 1:
        return LogGap(first, None, None, why)
    return LogGap(first, Receipt.at(partition, extent.first.position - 1), None, why)
