"""Use case: verify the archive, the chain, and the seam to the log server."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from application.errors import ArchiveDamaged, LogGap, UnknownReceipt
from application.event_log.archive import CHAIN_START, Archive, ArchivedStream, Segment, chained
from application.event_log.ports import EntryLog, EventCodec, HotLog
from application.event_log.receipts import Receipt

PAGE = 200


class VerifyProgress(Struct, frozen=True):
    """Events verified so far, of about `total`."""

    events: int
    total: int


OnVerified = Callable[[VerifyProgress], None]


class Damage(Struct, frozen=True, kw_only=True):
    """Something that is wrong. `stream` is a partition's number, or `organizations`.

    `first` is the first event that is wrong or missing, None if that cannot be said.
    """

    stream: str
    first: Receipt | None
    what: str


class LogVerified(Struct, frozen=True, kw_only=True):
    """The result: events in the archive and those only on the server, and all damages, in order."""

    archived: int
    on_server: int
    damages: tuple[Damage, ...]


class VerifyLogHandler:
    """Reads the whole log, or what follows a receipt, and compares it with its chain.

    Every segment must have the bytes that the manifest names, every event the digest that the
    chain was made of, the numbers must be consecutive, and events that are both in the archive
    and on the server must be the same.
    """

    def __init__(
        self, log: EntryLog, hot: HotLog, archive: Archive | None, codec: EventCodec
    ) -> None:
        self._log = log
        self._hot = hot
        self._archive = archive
        self._codec = codec

    def __call__(self, since: Receipt | None, on_progress: OnVerified) -> LogVerified:
        """Verify everything, or from the segment on that has the event `since`, in its partition.

        Raises LogUnavailable and ArchiveUnavailable, and UnknownReceipt if the log ends before
        `since`; damages are part of the result.
        """
        return _Verification(self._log, self._hot, self._archive, self._codec, on_progress)(since)


class _Verification:
    def __init__(
        self,
        log: EntryLog,
        hot: HotLog,
        archive: Archive | None,
        codec: EventCodec,
        on_progress: OnVerified,
    ) -> None:
        self._log = log
        self._hot = hot
        self._archive = archive
        self._codec = codec
        self._on_progress = on_progress
        self._damages: list[Damage] = []
        self._archived = self._on_server = self._done = self._total = 0

    def __call__(self, since: Receipt | None) -> LogVerified:
        partitions = range(self._log.partitions())
        if since is not None and since.partition not in partitions:
            raise _unknown(since)
        chosen = partitions if since is None else (since.partition,)
        archive = self._archive
        streams = [(str(p), p, None if archive is None else archive.partition(p)) for p in chosen]
        sound = [stream for stream in streams if self._is_sound(stream[0], stream[2])]
        if since is not None and sound and self._is_beyond(since, sound[0][2]):
            raise _unknown(since)
        self._total = sum(self._count(p, stream) for _, p, stream in sound)
        self._on_progress(VerifyProgress(0, self._total))
        for name, partition, stream in sound:
            if stream is not None:
                self._stream(name, stream, since)
            self._server(partition, stream)
        if since is None and archive is not None:
            copies = archive.organizations()
            if self._is_sound("organizations", copies):
                self._stream("organizations", copies, None)
        return LogVerified(
            archived=self._archived, on_server=self._on_server, damages=tuple(self._damages)
        )

    def _is_sound(self, name: str, stream: ArchivedStream | None) -> bool:
        """Return whether the manifest can be used."""
        try:
            if stream is not None:
                stream.refresh()
        except ArchiveDamaged as error:
            self._damages.append(Damage(stream=name, first=None, what=str(error)))
            return False
        return True

    def _is_beyond(self, receipt: Receipt, stream: ArchivedStream | None) -> bool:
        """Return whether no event at or after a receipt is in the archive or on the server."""
        segments = () if stream is None else stream.segments()
        ends = (self._hot.extent(receipt.partition).last, segments[-1].last if segments else None)
        return all(end is None or end < receipt for end in ends)

    def _count(self, partition: int, stream: ArchivedStream | None) -> int:
        archived = 0 if stream is None else sum(s.entries for s in stream.segments())
        return archived + self._hot.extent(partition).entries

    def _stream(self, name: str, stream: ArchivedStream, since: Receipt | None) -> None:
        chain = CHAIN_START
        losses = {loss.before: loss.chain for loss in stream.losses()}
        for segment in stream.segments():
            if since is not None and segment.last < since:
                chain = segment.chain
                continue
            chain = losses.get(segment.first, chain)
            try:
                self._segment(name, stream, segment, chain)
            except (ArchiveDamaged, LogGap) as error:
                first = error.first if isinstance(error, LogGap) else segment.first
                self._damages.append(Damage(stream=name, first=first, what=str(error)))
            chain = segment.chain

    def _segment(self, name: str, stream: ArchivedStream, segment: Segment, chain: bytes) -> None:
        if segment.chain_before != chain:
            what = f"the segment {segment.file} does not continue the chain of the one before it"
            self._damages.append(Damage(stream=name, first=segment.first, what=what))
        chain = segment.chain_before
        count = 0
        for entry in stream.entries(segment):
            chain = chained(chain, self._codec.digest(entry))
            count += 1
            self._advance()
        if chain != segment.chain or count != segment.entries:
            what = f"the events of the segment {segment.file} are not those of its chain"
            self._damages.append(Damage(stream=name, first=segment.first, what=what))
        self._archived += count

    def _server(self, partition: int, stream: ArchivedStream | None) -> None:
        """Check the seam, and that the server has the same events as the archive."""
        gap = self._log.gap(partition)
        if gap is not None:
            self._damages.append(Damage(stream=str(partition), first=gap.first, what=str(gap)))
        end = 0 if stream is None else stream.end().position
        after = 0
        while page := self._hot.read(partition, after, PAGE)[1]:
            after = page[-1].receipt.position
            both = [entry for entry in page if entry.receipt.position <= end]
            if both and stream is not None:
                found = self._archived_between(stream, both[0].receipt, len(both))
                for entry, archived in zip(both, found, strict=False):
                    if self._codec.digest(entry) != archived:
                        what = f"the event {entry.receipt} on the server is not the archived one"
                        damage = Damage(stream=str(partition), first=entry.receipt, what=what)
                        self._damages.append(damage)
                        return
            self._on_server += len(page) - len(both)
            for _ in page:
                self._advance()

    def _archived_between(
        self, stream: ArchivedStream, first: Receipt, limit: int
    ) -> Sequence[bytes]:
        try:
            found = stream.read(first.position - 1, limit)
        except (ArchiveDamaged, LogGap):
            return ()  # reported with its segment
        return [self._codec.digest(entry) for entry in found]

    def _advance(self) -> None:
        self._done += 1
        if self._done % PAGE == 0 or self._done == self._total:
            self._on_progress(VerifyProgress(self._done, max(self._total, self._done)))


def _unknown(receipt: Receipt) -> UnknownReceipt:
    return UnknownReceipt(f"no event has the receipt {receipt}")
