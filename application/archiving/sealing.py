"""Sealing: copying entries from the log server to the archive, in segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from application.archiving.ports import OrganizationEntries
from application.clock import Clock, milliseconds
from application.errors import LogUnfit
from application.event_log.archive import (
    Archive,
    ArchivedStream,
    OnStep,
    Segment,
    Step,
    ignore_step,
)
from application.event_log.ports import Entry, EntryLog, EventCodec

SEGMENT_BYTES = 16 << 20
"""Bytes of fields after which a segment ends; it is in memory while it is made."""

PAGE_BYTES = 2 << 20
FIRST_PAGE = 20
MAX_PAGE = 1000

Read = Callable[[int, int], Sequence[Entry]]
"""Returns the first entries after a position, at most so many."""


class Sealing:
    """Seals partitions and the organizations' log. For one thread at a time.

    `on_step` is called after entries were read; the archive reports the steps that follow.
    """

    def __init__(
        self,
        log: EntryLog,
        organizations: OrganizationEntries,
        archive: Archive,
        codec: EventCodec,
        clock: Clock,
        on_step: OnStep = ignore_step,
    ) -> None:
        self._log = log
        self._organizations = organizations
        self._archive = archive
        self._codec = codec
        self._clock = clock
        self._on_step = on_step

    def seal(self, partition: int) -> list[Segment]:
        """Seal all entries of a partition that were in the log when this began.

        The caller has just refreshed the archive's stream.

        Raises LogGap if some are missing, LogUnavailable, ArchiveConflict, ArchiveDamaged and
        ArchiveUnavailable. What was sealed before an error stays sealed.
        """
        if (gap := self._log.gap(partition, refresh=False)) is not None:
            raise gap
        last = self._log.last_position(partition)
        return self._sealed(
            self._archive.partition(partition),
            lambda after, limit: self._log.read(partition, after, limit),
            last,
        )

    def seal_organizations(self) -> list[Segment]:
        """Copy the organizations' log to the archive, as far as it is not there yet.

        Raises LogUnfit if the log no longer has the last event that was copied, as after a
        failover: its place may be another event's now.
        """
        stream = self._archive.organizations()
        end = stream.end()
        if end.last is not None:
            found = self._organizations.read_organizations(end.position - 1, 1)
            if not found or self._codec.digest(found[0]) != end.digest:
                raise LogUnfit(
                    f"the organizations' log has lost its end: its event {end.position} is not "
                    "the one that was archived"
                )
        return self._sealed(stream, self._organizations.read_organizations, None)

    def _sealed(self, stream: ArchivedStream, read: Read, last: int | None) -> list[Segment]:
        segments = []
        after = stream.end().position
        while last is None or after < last:
            entries = _gathered(read, after)
            if not entries:
                break
            self._on_step(Step.ENTRIES_READ)
            segments.append(stream.seal(entries, milliseconds(self._clock)))
            after = stream.end().position
        return segments


def _gathered(read: Read, after: int) -> list[Entry]:
    """Return the entries of the next segment."""
    entries: list[Entry] = []
    size = 0
    limit = FIRST_PAGE
    while size < SEGMENT_BYTES and (page := read(after, limit)):
        entries += page
        page_size = sum(map(_size, page))
        size += page_size
        after = page[-1].receipt.position
        if len(page) < limit:
            break
        limit = max(1, min(MAX_PAGE, PAGE_BYTES * len(page) // page_size))
    return entries


def _size(entry: Entry) -> int:
    return 32 + sum(len(name) + len(value) for name, value in entry.fields.items())
