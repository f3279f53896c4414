"""Use case: publish the points of a file or stream, batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Protocol

from msgspec import Struct

Progress = Callable[[int, int | None, int], None]
"""Receives the lines or rows done, their total (None if unknown), and the points stored."""


class UnreadablePoints(Exception):
    """A file is not in its format. The message names the line or row at fault."""


class BatchNotStored(Exception):
    """A batch was not accepted, and sending it again cannot help or did not help."""


class BatchRefused(BatchNotStored):
    """Items of a batch are invalid; `faults` has (index of the item, reason) for each fault.

    The index is None for a fault of the batch as a whole.
    """

    def __init__(self, faults: list[tuple[int | None, str]]) -> None:
        super().__init__(faults[0][1])
        self.faults = faults


class ImportStopped(Exception):
    """An import cannot continue. The batches before the fault, with `points` points, are stored."""

    def __init__(self, reason: str, points: int) -> None:
        super().__init__(reason)
        self.points = points


class ItemBatch(Struct, frozen=True):
    """Points as items of a JSON publish body, and the line or row (from 1) where each begins.

    `any_value` says that some values are texts of `domain.values.TEXTS`.
    """

    places: list[int]
    items: list[bytes]
    any_value: bool = False

    @property
    def body(self) -> bytes:
        return b'{"metrics":[%b]}' % b",".join(self.items)


class PointSource(Protocol):
    """A file or stream of points, read once and in order."""

    unit: str
    """The unit of its places: `line` or `row`."""
    total: int | None
    """The approximate number of places; None if it is unknown without reading them."""
    path: str | None
    """The resolved path of a file that can be read again; None for a stream."""

    def batches(self, size: int) -> Iterator[ItemBatch]:
        """Yield the points, `size` per batch. The same bytes yield the same batches.

        Raises UnreadablePoints, after yielding all complete batches before the fault, and OSError.
        """


class BatchPublisher(Protocol):
    """The service that batches are published to."""

    def publish(self, body: bytes, key: str, *, any_value: bool = False) -> bool:
        """Publish a body with its Idempotency-Key; return whether it had already been stored.

        With `any_value`, values may be written as texts of `domain.values.TEXTS`.
        Retries temporary failures. Raises BatchRefused, BatchNotStored.
        """


class Imported(Struct, frozen=True):
    """The totals of an import; `stored_before` counts the batches that were already stored."""

    points: int
    batches: int
    stored_before: int


class ImportPoints:
    """Imports sources one after the other into `destination`, `size` points per batch.

    A batch's Idempotency-Key is derived from the destination, the size, the source, and the
    source's contents up to the batch's end. So an import can be repeated, even after a refused line
    was corrected, and stores nothing twice. A file is identified by its resolved path, so that two
    files with equal contents both count. A stream is identified by its number among the streams of
    this import, because its path (such as /dev/fd/63) does not identify it.
    """

    def __init__(self, publisher: BatchPublisher, destination: str, size: int) -> None:
        self._publisher = publisher
        self._destination = destination
        self._size = size
        self._streams = 0

    def __call__(self, source: PointSource, progress: Progress) -> Imported:
        """Publish all batches of a source. Raises ImportStopped, OSError."""
        points = batches = stored_before = 0
        so_far = sha256(repr((self._destination, self._size, self._identity(source))).encode())
        try:
            for batch in source.batches(self._size):
                so_far.update(batch.body)
                key = f"import-{so_far.hexdigest()[:32]}-{batches}"
                stored_before += self._publish(batch, key, source.unit)
                batches += 1
                points += len(batch.items)
                done = batch.places[-1]
                progress(done, None if source.total is None else max(source.total, done), points)
        except (UnreadablePoints, BatchNotStored) as error:
            raise ImportStopped(str(error), points) from error
        return Imported(points, batches, stored_before)

    def _identity(self, source: PointSource) -> tuple[str, str | int]:
        if source.path is not None:
            return "file", source.path
        self._streams += 1
        return "stream", self._streams

    def _publish(self, batch: ItemBatch, key: str, unit: str) -> bool:
        try:
            return self._publisher.publish(batch.body, key, any_value=batch.any_value)
        except BatchRefused as error:
            index, detail = error.faults[0]
            place = "" if index is None else f"{unit} {batch.places[index]}: "
            others = len(error.faults) - 1
            more = f", and {others:,} other fault{'s' if others > 1 else ''} in this batch"
            raise BatchNotStored(f"{place}{detail}{more if others else ''}") from error
