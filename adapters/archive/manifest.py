"""The manifest of one stream: what says that a segment is part of the log.

Each entry is a file of one line of JSON, named by its number and the SHA-256 of its content, and
holds the SHA-256 of the entry before it. So no writer replaces another's entry, even on a store
that overwrites silently: two entries behind the same one are two branches. What each of them says
is true, and the one that reaches furthest counts. Every ROLL_UP entries are put into one file.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor
from hashlib import sha256
from itertools import chain

from msgspec import Struct

from adapters.archive.manifest_entries import (
    Contents,
    ManifestEntry,
    StoredRewrite,
    StoredSegment,
    decode_entry,
    encode_entry,
)
from adapters.archive.objects import Objects, Stored
from adapters.archive.segments import Id
from application.errors import ArchiveConflict, ArchiveDamaged, ArchiveUnavailable
from application.event_log.archive import OnStep, Step

ROLL_UP = 256
"""Entries per file of the older part of a manifest."""

MAX_LOOKS = 5
"""Attempts to read a manifest that other processes change meanwhile."""

UNFINISHED = ".part"
"""The end of a file that a process of format 1 has died while writing."""

_file_name = re.compile(r"\d{8,}(-\d{8,})?_([0-9a-f]{64})\.jsonl?\Z").match


class _ChangedMeanwhile(Exception):
    """A file that was listed is gone, as after a roll-up by another process."""


class _File(Struct, frozen=True):
    """A file's entries by name: the SHA-256 of their lines. `line` is that of a single entry."""

    names: tuple[str, ...]
    line: bytes | None


class Manifest:
    """The manifest below `manifest/<stream>/`. For one thread at a time.

    `partition` is that of the receipts, and `readers` read several files at once. Methods raise
    ArchiveUnavailable, ArchiveDamaged, and LogUnfit for entries of a newer release.
    """

    def __init__(
        self,
        objects: Objects,
        stream: str,
        partition: int,
        readers: Executor,
        on_step: OnStep,
        roll_up: int = ROLL_UP,
    ) -> None:
        self._objects = objects
        self._directory = f"manifest/{stream}"
        self._partition = partition
        self._readers = readers
        self._on_step = on_step
        self._roll_up = roll_up
        # What was read for a look that failed: the next one goes on from there.
        self._fetched: dict[str, bytes] = {}
        self._files: dict[str, _File] = {}
        self._chosen: list[str] = []
        self._others: dict[str, ManifestEntry] = {}
        self.contents = Contents(self._directory, partition)

    def refresh(self) -> None:
        """Read what was added; `contents` is then up to date.

        If nothing was, this is one list request.
        """
        listed: Sequence[Stored] = ()
        for _ in range(MAX_LOOKS):
            before, listed = listed, self._objects.stored(self._directory)
            try:
                self._read({s.path for s in listed if not s.path.endswith(UNFINISHED)})
            except _ChangedMeanwhile:
                continue
            except ArchiveDamaged:
                self._fetched.clear()
                # A list does not show one instant: look again before calling it damage.
                if before == listed:
                    raise
            else:
                return
        raise ArchiveUnavailable(f"{self._directory} does not stay the same while it is read")

    def add(self, entry: ManifestEntry) -> None:
        """Add an entry behind the last one; make it durable, and read it back.

        Raises ArchiveConflict if another process has added one meanwhile. Of two segments, the one
        that reaches less far gives way: the other one has all its entries. Losses and rewrites give
        way to every other entry.
        """
        line = encode_entry(entry)
        name = sha256(line).hexdigest()
        self._objects.create(f"{self._directory}/{entry.number:08d}_{name}.json", line)
        self._on_step(Step.MANIFEST_WRITTEN)
        self.refresh()
        if name in self._chosen[entry.number - 1 : entry.number]:
            rivals = any(other.previous == entry.previous for other in self._others.values())
            conflict = rivals and not isinstance(entry, StoredSegment)
        elif name in self._others:
            conflict = True
        else:
            raise ArchiveDamaged(f"{self._directory}: the entry {entry.number:08d} was not stored")
        if conflict:
            where = f"{self._directory} at the entry {entry.number:08d}"
            raise ArchiveConflict(f"another process has added to {where}")
        self._on_step(Step.MANIFEST_CHECKED)
        self._tidy()

    def next_entry(self) -> tuple[int, str]:
        """Return the number of the next entry, and the SHA-256 of the last one, in hexadecimal."""
        return len(self._chosen) + 1, self._chosen[-1] if self._chosen else ""

    def branched_rewrites(self) -> list[StoredRewrite]:
        """Return the rewrites that are not on the branch that counts."""
        return [entry for entry in self._others.values() if isinstance(entry, StoredRewrite)]

    def stale(self) -> list[str]:
        """Return the files with entries that do not count, and on which nothing depends."""
        unused = {n for n, e in self._others.items() if not isinstance(e, StoredRewrite)}
        return [path for path, file in self._files.items() if unused.issuperset(file.names)]

    def _read(self, listed: Collection[str]) -> None:
        """Read the files that are new, and drop what is gone."""
        files = {path: self._files[path] for path in listed & self._files.keys()}
        new = sorted(listed - self._files.keys())
        if not new and len(files) == len(self._files):
            return
        known = {*self._chosen, *self._others}
        added: dict[str, ManifestEntry] = {}
        for path, content in self._contents_of(new):
            lines = _lines(path, content)
            files[path] = _File(tuple(lines), None if path.endswith(".jsonl") else content)
            for name in lines.keys() - known:
                added[name] = decode_entry(path, lines[name])
        there = set(chain.from_iterable(file.names for file in files.values()))
        if not known <= there or not self._extend(added):
            if self._files:
                added = self._all_entries(listed)
            self._choose(added)
        self._files = files
        self._fetched.clear()

    def _contents_of(self, paths: Sequence[str]) -> list[tuple[str, bytes]]:
        missing = [path for path in paths if path not in self._fetched]
        for path, content in zip(
            missing, self._readers.map(self._objects.get, missing), strict=True
        ):
            if content is None:
                raise _ChangedMeanwhile
            self._fetched[path] = content
        return [(path, self._fetched[path]) for path in paths]

    def _all_entries(self, listed: Collection[str]) -> dict[str, ManifestEntry]:
        return {
            name: decode_entry(path, line)
            for path, content in self._contents_of(sorted(listed))
            for name, line in _lines(path, content).items()
        }

    def _extend(self, added: Mapping[str, ManifestEntry]) -> bool:
        """Take entries that follow the last one, the usual case; return false if they do not."""
        following = sorted(added.items(), key=lambda item: item[1].number)
        tip = self._chosen[-1] if self._chosen else ""
        for name, entry in following:
            if entry.previous != tip:
                return False
            tip = name
        if added and self._others:
            return False
        for name, entry in following:
            self.contents.take(entry)
            self._chosen.append(name)
        return True

    def _choose(self, entries: Mapping[str, ManifestEntry]) -> None:
        """Follow the branch that counts back to the first entry, and take it from there."""
        chosen: list[str] = []
        tip = _furthest(entries)
        while tip:
            if tip not in entries:
                number = entries[chosen[-1]].number - 1
                raise ArchiveDamaged(f"{self._directory}/{number:08d}_{tip}.json is missing")
            chosen.append(tip)
            tip = entries[tip].previous
        chosen.reverse()
        others = {name: entries[name] for name in entries.keys() - set(chosen)}
        contents = Contents(self._directory, self._partition)
        for name in chosen:
            contents.take(entries[name])
        contents.take_branched(
            entry for entry in others.values() if isinstance(entry, StoredRewrite)
        )
        former, found = self.contents.segments, contents.segments
        if former and (not found or found[-1].last < former[-1].last):
            raise ArchiveDamaged(f"{self._directory} has lost the entry of {former[-1].file}")
        self._chosen, self._others, self.contents = chosen, others, contents

    def _tidy(self) -> None:
        """Roll up each complete block of entries, also one that another process has left.

        The single entries go last, so that the manifest is whole at every moment.
        """
        singles = {
            file.names[0]: path for path, file in self._files.items() if file.line is not None
        }
        if len(singles) < self._roll_up:
            return
        rolled = {name for f in self._files.values() if f.line is None for name in f.names}
        for start in range(0, len(self._chosen) - self._roll_up + 1, self._roll_up):
            names = self._chosen[start : start + self._roll_up]
            if not rolled.issuperset(names):
                if not singles.keys() >= set(names):
                    continue
                self._write_roll_up(start + 1, [singles[name] for name in names])
            for name in names:
                if name in singles:
                    self._objects.delete(singles[name])
        self._on_step(Step.ROLLED_UP)
        self.refresh()

    def _write_roll_up(self, first: int, paths: Sequence[str]) -> None:
        lines = [self._files[path].line or b"" for path in paths]
        content = b"".join(line + b"\n" for line in lines)
        last = first + len(lines) - 1
        path = f"{self._directory}/{first:08d}-{last:08d}_{sha256(content).hexdigest()}.jsonl"
        self._objects.put(path, content)
        if self._objects.get(path) != content:
            raise ArchiveDamaged(f"{path} is damaged: it was not stored as it was written")
        self._on_step(Step.ROLLUP_WRITTEN)


def _lines(path: str, content: bytes) -> dict[str, bytes]:
    """Return a file's lines by their names. Raises ArchiveDamaged."""
    named = _file_name(path.rpartition("/")[2])
    if named is None:
        raise ArchiveDamaged(f"{path} is not a file of a manifest")
    if sha256(content).hexdigest() != named[2]:
        raise ArchiveDamaged(f"{path} is damaged: its content is not the one in its name")
    if named[1] is None:
        return {named[2]: content}
    return {sha256(line).hexdigest(): line for line in content.splitlines()}


def _furthest(entries: Mapping[str, ManifestEntry]) -> str:
    """Return the last entry of the branch that counts, "" if there is none.

    It is the one whose segments reach the greatest id. Of several it is the longest, which has one
    more loss or rewrite, and then the one whose SHA-256 is the smallest.
    """
    reached: dict[str, Id] = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1].number):
        reach = reached.get(entry.previous, (0, 0))
        reached[name] = max(reach, entry.last) if isinstance(entry, StoredSegment) else reach
    # max() returns the first of equals.
    return max(sorted(entries), key=lambda name: (reached[name], entries[name].number), default="")
