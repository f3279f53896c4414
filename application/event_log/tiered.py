"""The whole log as one: the archive, then the log server, without a gap or a double.

Nothing above this module knows which of the two it reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from application.errors import ArchiveDamaged, LogGap
from application.event_log.archive import Archive, ArchivedStream, End
from application.event_log.last_seen import LastSeen
from application.event_log.ports import Entry, EventCodec, Extent, HotLog
from application.event_log.receipts import Receipt
from application.event_log.seam import OTHER, Seam, seam_of


class TieredLog:
    """Implements the port EntryLog over the log server and its archive, if it has one.

    Other processes seal and trim meanwhile: where the two parts do not seem to meet, the archive's
    manifest is read again before that counts as a gap. With `skips_gaps`, there are none: reading
    goes on with the next entry that is left, for an operator who has accepted the loss.
    """

    def __init__(
        self,
        hot: HotLog,
        codec: EventCodec,
        archive: Archive | None = None,
        *,
        skips_gaps: bool = False,
    ) -> None:
        self._hot = hot
        partitions = range(hot.partitions())
        self._parts = [
            _Partition(hot, codec, p, None if archive is None else archive.partition(p), skips_gaps)
            for p in partitions
        ]

    def partitions(self) -> int:
        return self._hot.partitions()

    def read(self, partition: int, after: int, limit: int) -> Sequence[Entry]:
        return self._parts[partition].read(after, limit)

    def find(self, receipt: Receipt) -> Entry | None:
        return self._parts[receipt.partition].find(receipt)

    def gap(self, partition: int, *, refresh: bool = True) -> LogGap | None:
        return self._parts[partition].gap(refresh=refresh)

    def wait_for_entries(self, after: Sequence[int]) -> Sequence[int]:
        archived = {p for p, part in enumerate(self._parts) if after[p] < part.end.position}
        on_server = self._hot.wait_for_entries(after, block=not archived)
        return sorted(archived.union(on_server))

    def count(self, partition: int, after: int = 0) -> int:
        return self._parts[partition].count(after)

    def first_position(self, partition: int) -> int:
        return self._parts[partition].first_position()

    def last_position(self, partition: int) -> int:
        return self._parts[partition].last_position()


class _Partition:
    """One partition. Its state is a cache, and consistent whichever thread updates it."""

    def __init__(
        self,
        hot: HotLog,
        codec: EventCodec,
        partition: int,
        stream: ArchivedStream | None,
        skips_gaps: bool,  # noqa: FBT001
    ) -> None:
        self._hot = hot
        self._codec = codec
        self._partition = partition
        self._stream = stream
        self._skips_gaps = skips_gaps
        self._ends = LastSeen(hot, codec, partition, stream)
        self._server_start = 0
        self._first_number = (0, 0)
        self._joined: tuple[Receipt, int] | None = None

    @property
    def end(self) -> End:
        return End() if self._stream is None else self._stream.end()

    def read(self, after: int, limit: int) -> Sequence[Entry]:
        page: list[Entry] = []
        while True:
            if self._stream is not None and after < self._server_start:
                try:
                    found = self._stream.read(after, limit - len(page))
                except (LogGap, ArchiveDamaged) as error:
                    if self._skips_gaps and isinstance(error, LogGap) and error.last is not None:
                        after = error.last.position
                        continue
                    if page:
                        return page
                    raise
                page += found
                if len(page) == limit:
                    return page
                if found:
                    # Either the end, or a segment that is missing: the next read shows which.
                    after = found[-1].receipt.position
                    continue
                after = max(after, self._stream.end().position)
            extent, found = self._hot.read(self._partition, after, limit - len(page))
            seam = self._seam(extent)
            if after < seam.start:
                continue  # the archive has what the server no longer has
            gap = seam.gap
            if gap is None or self._skips_gaps or not gap.concerns(after):
                return [*page, *found]
            page += [entry for entry in found if entry.receipt < gap.first]
            if page:
                return page
            raise gap

    def find(self, receipt: Receipt) -> Entry | None:
        if (entry := self._hot.find(receipt)) is not None or self._stream is None:
            return entry
        if receipt.position > self._stream.end().position:
            self._stream.refresh()
        return self._stream.find(receipt)

    def gap(self, *, refresh: bool) -> LogGap | None:
        self._joined = None
        if refresh and self._stream is not None:
            self._stream.refresh()
        gap = self._seam(self._hot.extent(self._partition)).gap
        return None if self._skips_gaps else gap

    def count(self, after: int) -> int:
        extent = self._hot.extent(self._partition)
        self._seam(extent)
        end = self.end
        if after > end.position:
            return self._hot.count(self._partition, after)
        number = self._stream.number_at(after) if self._stream is not None and after else 0
        return max(extent.added + end.offset - number, 0)

    def first_position(self) -> int:
        if self._stream is not None and (segments := self._stream.segments()):
            return segments[0].first.position
        first = self._hot.extent(self._partition).first
        return 0 if first is None else first.position

    def last_position(self) -> int:
        extent = self._hot.extent(self._partition)
        if extent.last is not None:
            return max(extent.last.position, self.end.position)
        return 0 if self._stream is None else self._stream.refresh().position

    def _seam(self, extent: Extent) -> Seam:
        extent = self._ends.checked(extent)
        seam = self._joined_seam(extent)
        if seam.gap is not None and self._stream is not None:
            # Perhaps the archive was extended, and the server trimmed, since the manifest was read.
            self._stream.refresh()
            seam = self._joined_seam(extent)
        self._server_start = seam.start
        return seam

    def _joined_seam(self, extent: Extent) -> Seam:
        end = self.end
        seam = seam_of(self._partition, extent, end, self._number_at)
        if seam.gap is None and seam.start < end.position and not self._is_joined(extent, end):
            first = Receipt.at(self._partition, end.position + 1)
            return Seam(end.position, LogGap(first, None, None, OTHER))
        return seam

    def _number_at(self, position: int) -> int:
        """Return the archive's number at the server's first position, which seldom changes."""
        if self._first_number[0] != position:
            assert self._stream is not None  # noqa: S101  only an archive ends above a position
            self._first_number = position, self._stream.number_at(position)
        return self._first_number[1]

    def _is_joined(self, extent: Extent, end: End) -> bool:
        """Return whether the server, whose stream spans the archive's end, has that very entry.

        An older file of the server, with new events behind it, does not. Looks again only after
        the end has moved, or the server has fewer entries than before.
        """
        assert end.last is not None  # noqa: S101  there is something to span
        if self._joined is not None:
            last, added = self._joined
            if last == end.last and added <= extent.added:
                self._joined = last, extent.added
                return True
        entry = self._hot.find(end.last)
        if entry is None or self._codec.digest(entry) != end.digest:
            # It may have been trimmed since the extent was read; then the numbers decide.
            extent = self._hot.extent(self._partition)
            return extent.first is None or extent.first > end.last
        self._joined = end.last, extent.added
        return True
