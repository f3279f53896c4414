"""Use case: restore a log on an empty server, from its archive alone."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from application.archiving.ports import RestorableLog
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import Archive
from application.event_log.receipts import Receipt


class Restored(Struct, frozen=True, kw_only=True):
    """What the log has: its events, those of the organizations' log, and each partition's end.

    `last` has the last event by partition, those of partitions that had one.
    """

    log: str
    events: int
    organizations: int
    last: tuple[Receipt, ...]


OnRestored = Callable[[int, int], None]
"""Takes the partitions restored so far, and how many there are."""


class RestoreLogHandler:
    """Restores the organizations, and lets each partition go on after its last archived event.

    The events of the metric log stay in the archive, where they are read. What was accepted after
    the last segment was sealed is not in the archive.
    """

    def __init__(self, archive: Archive, server: RestorableLog) -> None:
        self._archive = archive
        self._server = server

    def __call__(self, on_progress: OnRestored) -> Restored:
        """Restore the log.

        Raises LogUnfit if the server already has a log, or the archive is not that of a log;
        ArchiveDamaged, ArchiveUnavailable, LogGap and LogUnavailable. The server's log can be used
        only if this returns: after an error, empty the server and start again.
        """
        identity = self._archive.identity()
        if identity is None:
            raise LogUnfit(f"{self._archive.url} is not the archive of a log")
        if not self._server.is_empty():
            raise LogUnfit("the log server already has a log; a log is restored on an empty one")
        log, partitions = identity
        copies = self._archive.organizations()
        copies.refresh()
        organizations = 0
        for segment in copies.segments():
            entries = list(copies.entries(segment))
            if any(entry.erased is not None for entry in entries):
                raise ArchiveDamaged(f"{segment.file}: an organization's event was erased")
            self._server.put_organizations(entries)
            organizations += len(entries)
        events = 0
        last = []
        for partition in range(partitions):
            on_progress(partition, partitions)
            end = self._archive.partition(partition).refresh()
            if end.last is not None:
                self._server.resume_after(end.last, end.number - end.offset)
                events += end.number
                last.append(end.last)
        # Last: a server with settings counts as one that has a log.
        self._server.begin(log, partitions)
        on_progress(partitions, partitions)
        return Restored(log=log, events=events, organizations=organizations, last=tuple(last))
