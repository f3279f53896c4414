"""Use case: where the parts of the log are, how large they are, and what is wrong with them."""

from __future__ import annotations

from msgspec import Struct

from application.archiving.ports import ArchivedLogServer, ArchiverState
from application.clock import Clock, milliseconds
from application.errors import LogGap
from application.event_log.archive import Archive, End
from application.event_log.ports import EntryLog, HotLog
from application.event_log.receipts import Receipt


class PartitionLog(Struct, frozen=True, kw_only=True):
    """Where the events of a partition are.

    `events` is how many there have been, and `first` and `last` are the first and the last of
    them, None if there is none. Those up to
    `archived_to` are in the archive, those from `server_from` on are on the server: events between
    the two are in both. `archive_bytes` are bytes stored, `server_bytes` an estimate of the
    server's memory. `oldest_unsealed` is the oldest event that is only on the server. `chain` is
    the chain's value behind the last archived event.
    """

    partition: int
    events: int
    first: Receipt | None
    last: Receipt | None
    archived_to: Receipt | None
    archive_events: int
    archive_bytes: int
    segments: int
    server_from: Receipt | None
    server_events: int
    server_bytes: int
    oldest_unsealed: Receipt | None
    chain: bytes
    gap: LogGap | None


class LogStatus(Struct, frozen=True, kw_only=True):
    """The state of the whole log.

    `archive` is its archive's URL, None without one. `organizations` is how many events of the
    organizations' log have a copy there. `last_sealed` is when the newest segment was sealed, and
    `at` the time of this look, in ms since the epoch.
    """

    at: int
    archive: str | None
    partitions: tuple[PartitionLog, ...]
    organizations: int
    last_sealed: int | None
    archiver: ArchiverState | None

    @property
    def oldest_unsealed(self) -> Receipt | None:
        """The oldest event that is only on the server."""
        unsealed = (p.oldest_unsealed for p in self.partitions if p.oldest_unsealed is not None)
        return min(unsealed, key=lambda receipt: receipt.milliseconds, default=None)

    @property
    def unsealed_seconds(self) -> float:
        """The age of the oldest event that is only on the server, 0 if there is none."""
        oldest = self.oldest_unsealed
        return 0.0 if oldest is None else max(self.at - oldest.milliseconds, 0) / 1000


class LogStatusHandler:
    """Looks at the log server and, if there is one, at the archive's manifest. May block."""

    def __init__(
        self,
        log: EntryLog,
        hot: HotLog,
        server: ArchivedLogServer,
        archive: Archive | None,
        clock: Clock,
    ) -> None:
        self._log = log
        self._hot = hot
        self._server = server
        self._archive = archive
        self._clock = clock

    def __call__(self, *, refresh: bool = True) -> LogStatus:
        """Return the state; without `refresh` what it knows of the manifest may be old.

        Raises LogUnavailable, ArchiveUnavailable, ArchiveDamaged.
        """
        archive = self._archive
        if archive is not None and refresh:
            archive.organizations().refresh()
        memory = self._server.memory()
        partitions = tuple(
            self._partition(partition, memory[partition], refresh=refresh)
            for partition in range(self._hot.partitions())
        )
        sealed = [
            segments[-1].sealed_at
            for partition in range(self._hot.partitions())
            if archive is not None and (segments := archive.partition(partition).segments())
        ]
        return LogStatus(
            at=milliseconds(self._clock),
            archive=None if archive is None else archive.url,
            partitions=partitions,
            organizations=0 if archive is None else archive.organizations().end().number,
            last_sealed=max(sealed, default=None),
            archiver=self._server.reported(),
        )

    def _partition(self, partition: int, memory: int, *, refresh: bool) -> PartitionLog:
        stream = None if self._archive is None else self._archive.partition(partition)
        gap = self._log.gap(partition, refresh=refresh)
        extent = self._hot.extent(partition)
        end = End() if stream is None else stream.end()
        segments = () if stream is None else tuple(stream.segments())
        oldest = None
        if stream is not None and extent.last is not None and extent.last.position > end.position:
            _, found = self._hot.read(partition, end.position, 1)
            oldest = found[0].receipt if found else None
        return PartitionLog(
            partition=partition,
            events=extent.added + end.offset,
            first=segments[0].first if segments else extent.first,
            last=max((r for r in (end.last, extent.last) if r is not None), default=None),
            archived_to=end.last,
            archive_events=sum(segment.entries for segment in segments),
            archive_bytes=sum(segment.size for segment in segments),
            segments=len(segments),
            server_from=extent.first,
            server_events=extent.entries,
            server_bytes=memory,
            oldest_unsealed=oldest,
            chain=end.chain,
            gap=gap,
        )
