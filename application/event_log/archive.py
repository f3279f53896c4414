"""Ports to the archive of the log, and its terms. Each docstring is a contract.

The archive holds the older part of each of the log's streams, in segments that never change. It
holds the partitions of the metric log and, for `cave log restore`, a copy of the organizations'
log. Entries of a stream are numbered from 1; the number of the last entry is how many there have
been, wherever they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

CHAIN_START = bytes(32)
"""The value of a stream's chain before its first entry."""


def chained(chain: bytes, digest: bytes) -> bytes:
    """Return the value of a chain behind an entry, from the value before it and its digest."""
    return sha256(chain + digest).digest()


class Step(StrEnum):
    """The boundaries between the steps of moving entries to the archive, in order.

    After any of them the process may die: nothing is lost or doubled, and every step can be
    repeated.
    """

    ENTRIES_READ = "entries read"
    SEGMENT_WRITTEN = "segment written"
    SEGMENT_CHECKED = "segment read back and compared"
    MANIFEST_WRITTEN = "manifest entry written"
    MANIFEST_CHECKED = "manifest entry read back and compared"
    TRIMMED = "server trimmed"
    ROLLUP_WRITTEN = "roll-up of the manifest written"
    ROLLED_UP = "manifest entries removed that a roll-up holds"


OnStep = Callable[[Step], None]


def ignore_step(step: Step) -> None:
    """Do nothing after a step."""


class Segment(Struct, frozen=True, kw_only=True):
    """Consecutive entries of one stream, as the manifest describes them.

    `file` is its path in the archive, `size` its bytes there, and `sha256` the digest of those
    bytes. `number` is the first entry's number. The chain is that of the stream: its value before
    the first entry and behind the last. `digest` is the last entry's. `erased` entries keep their
    place and their digest, but not their fields. `sealed_at` is in ms since the epoch.
    """

    file: str
    sha256: bytes
    size: int
    first: Receipt
    last: Receipt
    number: int
    entries: int
    erased: int = 0
    chain_before: bytes
    chain: bytes
    digest: bytes
    sealed_at: int

    @property
    def last_number(self) -> int:
        """The number of the last entry."""
        return self.number + self.entries - 1


class Loss(Struct, frozen=True, kw_only=True):
    """Entries that an operator has accepted as lost: those between two places of a stream.

    The places are exclusive: the last entry before the gap (None at the beginning of the stream),
    and the first one behind it. `entries` is how many are missing, as far as is known. The chain
    binds a loss as it binds an entry.
    """

    after: Receipt | None
    before: Receipt
    entries: int
    chain: bytes
    accepted_at: int


class End(Struct, frozen=True, kw_only=True):
    """Where the archived part of a stream ends.

    `last` is the last archived entry (None if there is none), `number` its number, `digest` its
    digest, and `chain` the chain's value behind it. `offset` is what has to be added to the
    server's count of entries to get their numbers: not 0 once the server's stream was lost and
    the loss accepted.
    """

    last: Receipt | None = None
    number: int = 0
    digest: bytes = b""
    chain: bytes = CHAIN_START
    offset: int = 0

    @property
    def position(self) -> int:
        """The position of the last archived entry, 0 if there is none."""
        return 0 if self.last is None else self.last.position


class ArchivedStream(Protocol):
    """The archived part of one stream. Thread-safe; calls may block on the archive's store.

    Every method raises ArchiveUnavailable if the store does not answer; ArchiveDamaged, which names
    the file, if something in it is not what was written; and LogUnfit if a newer release wrote it.
    The segment of a file that was rewritten meanwhile is read from its new file.
    """

    def end(self) -> End:
        """Return where the archived part ends, as of the last `refresh`."""

    def refresh(self) -> End:
        """Read what was added to the manifest meanwhile; return the new end."""

    def segments(self) -> Sequence[Segment]:
        """Return the segments in order, as of the last `refresh`."""

    def losses(self) -> Sequence[Loss]:
        """Return the accepted losses in order, as of the last `refresh`."""

    def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Return the first `limit` archived entries above the position `after`, in log order.

        Returns fewer at the end, and before a segment that is missing or damaged: a short page is
        not the end, so read on. Raises LogGap at a segment whose file is missing, and
        ArchiveDamaged at one that is damaged, once no entry before it can be returned.
        Consecutive calls are served from frames that were read ahead and decoded in another
        thread; memory is bounded, whatever the length of the stream.
        """

    def find(self, receipt: Receipt) -> Entry | None:
        """Return the archived entry at a place, or None.

        Raises LogGap if the file of its segment is missing.
        """

    def number_at(self, position: int) -> int:
        """Return the number of the last archived entry at or below a position, 0 if none is."""

    def entries(self, segment: Segment) -> Iterator[Entry]:
        """Return all entries of a segment, having verified its bytes against `sha256`.

        Raises LogGap if the file is missing.
        """

    def seal(self, entries: Sequence[Entry], now: int) -> Segment:
        """Add entries, which are those that follow the end, as one segment; make it durable.

        The steps are those of `Step`, each durable before the next: the segment is written, read
        back and compared, and only then named by the manifest, whose new entry is read back too.
        `now` is in ms since the epoch. Raises ArchiveConflict if another process has added a
        segment meanwhile: `refresh`, and start again. Nothing was added then. The same holds after
        ArchiveUnavailable, when the segment may have been added or not. Raises ValueError for no
        entries, or entries that do not ascend.
        """

    def accept_loss(self, before: Receipt, entries: int, offset: int, now: int) -> Loss:
        """Record that entries between the end and `before` (exclusive) are lost.

        The end then is just before `before`, and its number has grown by `entries`; `offset` is
        that of the new `End`. Raises as `seal` does, and ValueError if no entry fits in between.
        """

    def rewrite(self, segment: Segment, organization: bytes, now: int) -> Segment | None:
        """Erase the organization's entries of a segment: they keep their places and digests.

        Writes a new segment that replaces the old one, in the order and with the checks of `seal`,
        and deletes the old file. The chain stays as it is. Returns None if no entry of the segment
        is the organization's. Raises ArchiveConflict as `seal` does, also if the segment is no
        longer one of `segments`.
        """


class Archive(Protocol):
    """The archive of a log. Thread-safe."""

    @property
    def url(self) -> str:
        """Where it is, for people; holds no secret."""

    def claim(self, log: str, partitions: int) -> None:
        """Make it the archive of a log, given the log's id and its number of partitions.

        Does nothing if it is already. Raises LogUnfit if it is another log's, ArchiveUnavailable,
        and ArchiveDamaged, also if it is nobody's but has entries.
        """

    def identity(self) -> tuple[str, int] | None:
        """Return the id of the log it belongs to and that log's partitions; None if it is new."""

    def partition(self, partition: int) -> ArchivedStream:
        """Return the archived part of a partition of the metric log."""

    def organizations(self) -> ArchivedStream:
        """Return the copy of the organizations' log, whose entries have the receipts 0-0-n."""

    def sweep(self, before: int) -> Iterable[str]:
        """Delete files that no manifest names and that were written before `before` (ms).

        Returns their paths. They are the leavings of processes that died, or that gave way to
        another one. Leave a day between `before` and now: a process that is still at work needs
        what it has written.
        """
