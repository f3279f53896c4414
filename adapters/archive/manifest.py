"""The manifest of one stream: what says that a segment is part of the log.

Each entry is a file of one line of JSON, named by its number and the SHA-256 of its content, and
holds the SHA-256 of the entry before it. So no writer can replace another's entry, even on a store
that overwrites silently: two entries of one number are two branches, and the one that reaches
furthest counts. Every ROLL_UP entries are put together in one file.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Literal

import msgspec
from msgspec import Struct

from adapters.archive.objects import UNFINISHED, Objects
from application.errors import ArchiveConflict, ArchiveDamaged
from application.event_log.archive import (
    End,
    Loss,
    OnStep,
    Segment,
    Step,
    chained,
)
from application.event_log.receipts import Receipt

FORMAT = 1
ROLL_UP = 256
"""Entries per file of the older part of a manifest."""

Id = tuple[int, int]


class ManifestEntry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry as it is stored; docs/archive-format.md describes its members."""

    format: int
    kind: Literal["segment", "rewrite", "loss"]
    number: int
    previous: str
    first: Id | None = None
    last: Id | None = None
    first_number: int = 0
    entries: int
    erased: int = 0
    chain_before: str = ""
    chain: str
    digest: str = ""
    file: str = ""
    sha256: str = ""
    size: int = 0
    replaces: str = ""
    after: Id | None = None
    before: Id | None = None
    offset: int = 0
    at: int


class Contents(Struct, frozen=True):
    """What a manifest says: the stream's segments and losses in order, and where it ends."""

    end: End
    segments: tuple[Segment, ...]
    losses: tuple[Loss, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ManifestEntry).decode


class Manifest:
    """The manifest below `manifest/<stream>/`. For one thread at a time.

    `partition` is that of the receipts. Methods raise ArchiveUnavailable and ArchiveDamaged.
    """

    def __init__(
        self, objects: Objects, stream: str, partition: int, on_step: OnStep, roll_up: int = ROLL_UP
    ) -> None:
        self._objects = objects
        self._directory = f"manifest/{stream}"
        self._partition = partition
        self._on_step = on_step
        self._roll_up = roll_up
        self._files: set[str] = set()
        self._lines: dict[str, bytes] = {}
        self._entries: dict[str, ManifestEntry] = {}
        self._chosen: list[str] = []
        self.contents = Contents(End(), (), ())

    def refresh(self) -> None:
        """Read what was added; `contents` is then up to date."""
        stored = (each.path for each in self._objects.stored(self._directory))
        found = {path for path in stored if not path.endswith(UNFINISHED)}
        if found == self._files:
            return
        if self._files - found:
            # Rolled up, or lost: what is left must be complete without them.
            self._files.clear()
            self._lines.clear()
            self._entries.clear()
        for path in sorted(found - self._files):
            content = self._objects.get(path)
            if content is not None:  # rolled up since it was listed
                self._take(path, content)
                self._files.add(path)
        self._choose()

    def add(self, entry: ManifestEntry) -> None:
        """Add an entry behind the last one; make it durable, and read it back.

        Raises ArchiveConflict if another process has added one meanwhile.
        """
        line = _encode(entry)
        name = sha256(line).hexdigest()
        path = f"{self._directory}/{entry.number:08d}_{name}.json"
        self._objects.put(path, line)
        self._on_step(Step.MANIFEST_WRITTEN)
        self.refresh()
        if self._chosen[-1:] != [name]:
            raise ArchiveConflict(f"another process has added entry {entry.number} of {path}")
        self._on_step(Step.MANIFEST_CHECKED)
        self._roll_up_old()

    def next_entry(self) -> tuple[int, str]:
        """Return the number of the next entry, and the digest of the last one."""
        return len(self._chosen) + 1, self._chosen[-1] if self._chosen else ""

    def _take(self, path: str, content: bytes) -> None:
        name = path.rpartition("/")[2].partition("_")[2].partition(".")[0]
        if sha256(content).hexdigest() != name:
            raise ArchiveDamaged(f"{path} is damaged: its content is not the one it is named by")
        for line in content.splitlines():
            try:
                entry = _decode(line)
            except msgspec.MsgspecError as error:
                raise ArchiveDamaged(f"{path} cannot be read: {error}") from error
            if entry.format > FORMAT:
                raise ArchiveDamaged(
                    f"{path} has format {entry.format}; this release reads {FORMAT}"
                )
            digest = sha256(line).hexdigest()
            self._lines[digest], self._entries[digest] = line, entry

    def _choose(self) -> None:
        """Follow the branch that reaches furthest back to the first entry."""
        chosen: list[str] = []
        tip = self._furthest()
        while tip:
            chosen.append(tip)
            tip = self._entries[tip].previous
            if tip and tip not in self._entries:
                missing = self._entries[chosen[-1]].number - 1
                raise ArchiveDamaged(f"{self._directory}: the entry {missing:08d} is missing")
        chosen.reverse()
        self.contents = self._read(chosen)
        self._chosen = chosen

    def _furthest(self) -> str:
        """Return the digest of the entry whose branch reaches furthest, empty without any.

        Of two that reach equally far it is the longer one, then that of the smaller digest.
        """
        reach: dict[str, tuple[Id, int]] = {}
        for name, entry in sorted(self._entries.items(), key=lambda item: item[1].number):
            place = (entry.last if entry.before is None else entry.before) or (0, 0)
            before = reach.get(entry.previous, ((0, 0), 0))[0]
            reach[name] = max(place, before), entry.number
        furthest = max(reach.values(), default=None)
        return min((name for name, found in reach.items() if found == furthest), default="")

    def _read(self, chosen: Sequence[str]) -> Contents:
        segments: dict[str, Segment] = {}
        losses: list[Loss] = []
        end = End()
        for number, name in enumerate(chosen, start=1):
            entry = self._entries[name]
            if entry.number != number:
                raise self._damaged(entry, f"it is the {number}th one")
            if entry.kind == "loss":
                loss, end = self._loss(entry, end)
                losses.append(loss)
                continue
            segment = self._segment(entry)
            if entry.kind == "rewrite":
                if entry.replaces not in segments:
                    raise self._damaged(entry, "it replaces an unknown segment")
                segments = {
                    (entry.sha256 if old == entry.replaces else old): (
                        segment if old == entry.replaces else kept
                    )
                    for old, kept in segments.items()
                }
                continue
            follows = end.last is None or segment.first > end.last
            if not follows or segment.number != end.number + 1 or segment.chain_before != end.chain:
                raise self._damaged(entry, "it does not continue the one before it")
            segments[entry.sha256] = segment
            end = End(
                last=segment.last,
                number=segment.last_number,
                digest=segment.digest,
                chain=segment.chain,
                offset=end.offset,
            )
        return Contents(end, tuple(segments.values()), tuple(losses))

    def _segment(self, entry: ManifestEntry) -> Segment:
        if entry.first is None or entry.last is None:
            raise self._damaged(entry, "it has no first and last event")
        return Segment(
            file=entry.file,
            sha256=bytes.fromhex(entry.sha256),
            size=entry.size,
            first=Receipt(self._partition, *entry.first),
            last=Receipt(self._partition, *entry.last),
            number=entry.first_number,
            entries=entry.entries,
            erased=entry.erased,
            chain_before=bytes.fromhex(entry.chain_before),
            chain=bytes.fromhex(entry.chain),
            digest=bytes.fromhex(entry.digest),
            sealed_at=entry.at,
        )

    def _loss(self, entry: ManifestEntry, end: End) -> tuple[Loss, End]:
        if entry.before is None:
            raise self._damaged(entry, "it has no event before which others are lost")
        before = Receipt(self._partition, *entry.before)
        if entry.chain != loss_chain(end, before, entry.entries).hex():
            raise self._damaged(entry, "it does not continue the one before it")
        chain = bytes.fromhex(entry.chain)
        loss = Loss(
            after=end.last, before=before, entries=entry.entries, chain=chain, accepted_at=entry.at
        )
        return loss, End(
            last=Receipt.at(self._partition, before.position - 1),
            number=end.number + entry.entries,
            chain=chain,
            offset=entry.offset,
        )

    def _damaged(self, entry: ManifestEntry, what: str) -> ArchiveDamaged:
        return ArchiveDamaged(f"{self._directory}: the entry {entry.number:08d} is wrong: {what}")

    def _roll_up_old(self) -> None:
        """Put the last ROLL_UP entries into one file, if that many are complete."""
        number = len(self._chosen)
        if number % self._roll_up:
            return
        names = self._chosen[-self._roll_up :]
        content = b"".join(self._lines[name] + b"\n" for name in names)
        digest = sha256(content).hexdigest()
        first = number - self._roll_up + 1
        path = f"{self._directory}/{first:08d}-{number:08d}_{digest}.jsonl"
        self._objects.put(path, content)
        if self._objects.get(path) != content:
            raise ArchiveDamaged(f"{path} is damaged: it was not stored as it was written")
        self._on_step(Step.ROLLUP_WRITTEN)
        for single, name in zip(range(first, number + 1), names, strict=True):
            self._objects.delete(f"{self._directory}/{single:08d}_{name}.json")
        self._on_step(Step.ROLLED_UP)
        self.refresh()


def id_of(receipt: Receipt) -> Id:
    """Return an event's id as the manifest has it."""
    return receipt.milliseconds, receipt.sequence


def loss_chain(end: End, before: Receipt, entries: int) -> bytes:
    """Return the chain's value behind a loss: the loss has a digest as an event does."""
    after = "" if end.last is None else end.last.event_id
    text = f"loss {after} {before.event_id} {entries}"
    return chained(end.chain, sha256(text.encode()).digest())
