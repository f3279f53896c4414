"""Noticing that the log server has lost the end of a partition, although nobody had read it."""

from __future__ import annotations

from application.event_log.archive import ArchivedStream
from application.event_log.ports import Entry, EventCodec, Extent, HotLog


class LastSeen:
    """The last entry of a partition that this process has seen on the server.

    A promoted replica may not have it, and a server that was started with an older file neither.
    New entries soon stand in its place, so it is looked for not only if the log is shorter than
    before, but whenever the server's history is another one. What this process has seen is lost
    with it: an acknowledged event that nobody has seen but a process that is gone is missed by
    nobody.
    """

    def __init__(
        self, hot: HotLog, codec: EventCodec, partition: int, stream: ArchivedStream | None
    ) -> None:
        self._hot = hot
        self._codec = codec
        self._partition = partition
        self._stream = stream
        self._seen: tuple[str, Entry | None] = "", None

    def checked(self, extent: Extent) -> Extent:
        """Return the extent, with the loss that was found by it noted on the server.

        Raises LogUnavailable, and what the archive raises.
        """
        history, tail = self._seen
        changed = history != extent.history or _is_shorter(extent, tail)
        if tail is not None and changed and self._is_gone(tail):
            self._hot.note_lost(tail.receipt)
            extent = self._hot.extent(self._partition)
            tail = None
        self._seen = extent.history, extent.tail or tail
        return extent

    def _is_gone(self, entry: Entry) -> bool:
        """Return whether neither the server nor the archive has an entry."""
        found = self._hot.find(entry.receipt)
        if found is not None:
            return self._codec.digest(found) != self._codec.digest(entry)
        position = entry.receipt.position
        return self._stream is None or self._stream.refresh().position < position


def _is_shorter(extent: Extent, tail: Entry | None) -> bool:
    if tail is None:
        return False
    return extent.newest is None or extent.newest < tail.receipt
