"""The entries of a manifest as they are stored, and what they say together.

docs/archive-format.md describes their members.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import sha256
from typing import NoReturn

import msgspec
from msgspec import Struct, structs

from adapters.archive.segments import Id, id_of
from application.errors import ArchiveDamaged, LogUnfit
from application.event_log.archive import End, Loss, Segment, chained
from application.event_log.receipts import Receipt

FORMAT = 2
"""Entries of format 1 are alike, without the members that are 0; their segments are not."""


class _Stored(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """What all entries have: `previous` is the SHA-256 of the line before, in hexadecimal."""

    format: int = FORMAT
    number: int
    previous: str
    entries: int
    chain: str
    at: int


class _StoredFile(_Stored, frozen=True, kw_only=True):
    file: str
    sha256: str
    size: int
    first: Id
    last: Id
    first_number: int
    erased: int = 0
    chain_before: str
    digest: str


class StoredSegment(_StoredFile, frozen=True, kw_only=True, tag="segment"):
    """A segment that follows the end of the stream."""


class StoredRewrite(_StoredFile, frozen=True, kw_only=True, tag="rewrite"):
    """A segment that takes the place of the one with the SHA-256 `replaces`."""

    replaces: str


class StoredLoss(_Stored, frozen=True, kw_only=True, tag="loss"):
    """Entries that are lost, between two exclusive ids; `after` is null at the beginning."""

    after: Id | None = None
    before: Id
    offset: int = 0


ManifestEntry = StoredSegment | StoredRewrite | StoredLoss


class _Format(Struct, frozen=True):
    format: int


encode_entry = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ManifestEntry).decode
_decode_format = msgspec.json.Decoder(_Format).decode


def decode_entry(path: str, line: bytes) -> ManifestEntry:
    """Return an entry of a manifest's file. Raises ArchiveDamaged, LogUnfit."""
    try:
        if (found := _decode_format(line).format) > FORMAT:
            raise LogUnfit(f"{path} has format {found}: this release reads up to format {FORMAT}")
        entry: ManifestEntry = _decode(line)
    except msgspec.MsgspecError as error:
        raise ArchiveDamaged(f"{path} has an entry that cannot be read: {error}") from error
    return entry


def segment_entry(segment: Segment, number: int, previous: str) -> StoredSegment:
    """Return the entry of a segment."""
    return StoredSegment(
        number=number,
        previous=previous,
        entries=segment.entries,
        chain=segment.chain.hex(),
        at=segment.sealed_at,
        file=segment.file,
        sha256=segment.sha256.hex(),
        size=segment.size,
        first=id_of(segment.first),
        last=id_of(segment.last),
        first_number=segment.number,
        erased=segment.erased,
        chain_before=segment.chain_before.hex(),
        digest=segment.digest.hex(),
    )


def rewrite_entry(segment: Segment, number: int, previous: str, replaces: bytes) -> StoredRewrite:
    """Return the entry of a segment that replaces the one with the SHA-256 `replaces`."""
    members = structs.asdict(segment_entry(segment, number, previous))
    return StoredRewrite(**members, replaces=replaces.hex())


def loss_entry(
    end: End, before: Receipt, entries: int, offset: int, now: int, number: int, previous: str
) -> StoredLoss:
    """Return the entry of a loss behind the end."""
    return StoredLoss(
        number=number,
        previous=previous,
        entries=entries,
        chain=_loss_chain(end, before, entries).hex(),
        at=now,
        after=None if end.last is None else id_of(end.last),
        before=id_of(before),
        offset=offset,
    )


class Contents:
    """What the entries of a manifest say: the segments and losses in order, and the end.

    `partition` is that of the receipts. Take all entries in order. For one thread at a time.
    """

    def __init__(self, directory: str, partition: int) -> None:
        self._directory = directory
        self._partition = partition
        self.taken = 0
        self.end = End()
        self.segments: list[Segment] = []
        self.losses: list[Loss] = []

    def take(self, entry: ManifestEntry) -> None:
        """Add what an entry says. Raises ArchiveDamaged if it does not follow the ones before."""
        if entry.number != self.taken + 1:
            self._wrong(entry, f"it follows number {self.taken}")
        try:
            match entry:
                case StoredSegment():
                    self._take_segment(entry)
                case StoredRewrite():
                    self._take_rewrite(entry)
                case StoredLoss():
                    self._take_loss(entry)
        except ValueError as error:  # hexadecimal digits
            self._wrong(entry, str(error))
        self.taken += 1

    def take_branched(self, rewrites: Iterable[StoredRewrite]) -> None:
        """Add what rewrites on other branches say: the files that they replace may be gone.

        One whose segment was also rewritten on this branch is left out.
        """
        for entry in sorted(rewrites, key=lambda entry: (entry.number, entry.sha256)):
            if self._replaced(entry) is not None:
                self._take_rewrite(entry)

    def _take_segment(self, entry: StoredSegment) -> None:
        segment, end = self._segment(entry), self.end
        follows = end.last is None or segment.first > end.last
        if not follows or segment.number != end.number + 1 or segment.chain_before != end.chain:
            self._wrong(entry, "it does not continue the segment before it")
        self.segments.append(segment)
        self.end = End(
            last=segment.last,
            number=segment.last_number,
            digest=segment.digest,
            chain=segment.chain,
            offset=end.offset,
        )

    def _take_rewrite(self, entry: StoredRewrite) -> None:
        place = self._replaced(entry)
        if place is None:
            self._wrong(entry, "it replaces a segment that is not there")
        former, segment = self.segments[place], self._segment(entry)
        if segment != structs.replace(
            former,
            file=segment.file,
            sha256=segment.sha256,
            size=segment.size,
            erased=segment.erased,
            sealed_at=segment.sealed_at,
        ):
            self._wrong(entry, "it has other events than the segment that it replaces")
        self.segments[place] = segment

    def _take_loss(self, entry: StoredLoss) -> None:
        end = self.end
        after = None if entry.after is None else self._receipt(entry.after)
        before = self._receipt(entry.before)
        chain = _loss_chain(end, before, entry.entries)
        if after != end.last or before.position <= end.position or entry.chain != chain.hex():
            self._wrong(entry, "it does not continue the segment before it")
        self.losses.append(
            Loss(
                after=after,
                before=before,
                entries=entry.entries,
                chain=chain,
                accepted_at=entry.at,
            )
        )
        self.end = End(
            last=Receipt.at(self._partition, before.position - 1),
            number=end.number + entry.entries,
            chain=chain,
            offset=entry.offset,
        )

    def _replaced(self, entry: StoredRewrite) -> int | None:
        first = self._receipt(entry.first)
        place = bisect_left(self.segments, first, key=lambda segment: segment.first)
        if place < len(self.segments) and self.segments[place].sha256.hex() == entry.replaces:
            return place
        return None

    def _segment(self, entry: StoredSegment | StoredRewrite) -> Segment:
        return Segment(
            file=entry.file,
            sha256=bytes.fromhex(entry.sha256),
            size=entry.size,
            first=self._receipt(entry.first),
            last=self._receipt(entry.last),
            number=entry.first_number,
            entries=entry.entries,
            erased=entry.erased,
            chain_before=bytes.fromhex(entry.chain_before),
            chain=bytes.fromhex(entry.chain),
            digest=bytes.fromhex(entry.digest),
            sealed_at=entry.at,
        )

    def _receipt(self, place: Id) -> Receipt:
        return Receipt(self._partition, *place)

    def _wrong(self, entry: ManifestEntry, what: str) -> NoReturn:
        raise ArchiveDamaged(f"{self._directory}: the entry {entry.number:08d} is wrong: {what}")


def _loss_chain(end: End, before: Receipt, entries: int) -> bytes:
    """Return the chain's value behind a loss: the loss has a digest as an event does."""
    after = "" if end.last is None else end.last.event_id
    text = f"loss {after} {before.event_id} {entries}"
    return chained(end.chain, sha256(text.encode()).digest())
