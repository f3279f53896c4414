"""Entries to archive, and places to archive them in."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from hashlib import sha256
from itertools import chain, count

from application.event_log.archive import (
    CHAIN_START,
    Archive,
    ArchivedStream,
    OnStep,
    Step,
    chained,
    ignore_step,
)
from application.event_log.ports import Entry
from application.event_log.receipts import Receipt

NOW = 1_700_000_000_000
EVER = 2**62
PARTITION = 3
NEW_PARTITIONS = count(16)
"""For examples that share a place: what the last one has left there is in another partition."""


class Killed(BaseException):
    """The process died."""


def dying_after(step: Step) -> OnStep:
    """Return what kills the process after a step."""

    def die(reached: Step) -> None:
        if reached == step:
            raise Killed

    return die


def digest(entry: Entry) -> bytes:
    """Return an entry's digest: the archive takes the function as an argument."""
    receipt = entry.receipt
    parts = [b"%d-%d" % (receipt.milliseconds, receipt.sequence)]
    parts += chain.from_iterable(entry.fields.items())
    return sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).digest()


def entries(
    count: int, *, partition: int = PARTITION, start: int = 1000, size: int = 40, seed: int = 0
) -> list[Entry]:
    """Return entries at ascending places, with payloads of up to `size` bytes."""
    source = random.Random(f"{seed} {start}")
    found = []
    milliseconds, sequence = start, 0
    for number in range(count):
        if source.random() < 0.7:
            milliseconds, sequence = milliseconds + source.randrange(1, 50), 0
        else:
            sequence += 1
        fields = {
            b"topic": b"metrics.published.v1",
            b"organization": source.choice((b"gilt", b"acme")),
            b"number": b"%d" % number,
            b"": b"",
            b"payload": source.randbytes(source.randrange(size)),
        }
        found.append(Entry(Receipt(partition, milliseconds, sequence), fields))
    return found


def chain_of(known: Sequence[Entry]) -> bytes:
    value = CHAIN_START
    for entry in known:
        value = chained(value, digest(entry))
    return value


def entries_in(stream: ArchivedStream) -> list[Entry]:
    """Return all entries of all segments, verified."""
    return [entry for segment in stream.segments() for entry in stream.entries(segment)]


class ArchivePlace(ABC):
    """Where an archive is kept."""

    @abstractmethod
    def open(self, on_step: OnStep = ignore_step) -> Archive:
        """Open it as another process does."""

    @abstractmethod
    def remove(self, file: str) -> None:
        """Lose a segment's file."""
