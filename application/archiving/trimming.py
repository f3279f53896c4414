"""Trimming: which entries the log server no longer has to keep, and removing them."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from application.archiving.ports import ArchivedLogServer
from application.event_log.archive import Archive, OnStep, Step, ignore_step
from application.event_log.ports import HotLog
from application.event_log.receipts import Receipt
from application.projections.folds import PROJECTIONS
from application.projections.ports import Generation, ProjectionStores, Role

WRITTEN = (Role.LIVE, Role.BUILDING, Role.COPYING)
"""Roles of generations that are fed from the log."""


class Trimmable(Struct, frozen=True, kw_only=True):
    """Entries of a partition that may be removed from the server: those from `first` to `keep`.

    `keep` is exclusive, and `entries` is how many there are.
    """

    partition: int
    first: Receipt
    keep: Receipt
    entries: int


class Trimming:
    """Decides what may be trimmed, and trims it. For one thread at a time.

    `on_step` is called after each partition that was trimmed.
    """

    def __init__(
        self,
        hot: HotLog,
        server: ArchivedLogServer,
        archive: Archive,
        stores: ProjectionStores,
        on_step: OnStep = ignore_step,
    ) -> None:
        self._hot = hot
        self._server = server
        self._archive = archive
        self._stores = stores
        self._on_step = on_step

    def held(self) -> Mapping[int, int] | None:
        """Return the position in each partition that every generation being written has read.

        A partition that one of them has not read at all is at 0. A stopped generation counts for
        nothing: it can only be rebuilt. Returns None if there is nothing to wait for. Raises
        StoreUnavailable.
        """
        held: dict[int, int] | None = None
        for generation in self._written():
            positions = self._stores.positions(generation)
            read = {p: positions.get(p, 0) for p in range(self._hot.partitions())}
            held = read if held is None else {p: min(read[p], held[p]) for p in read}
        return held

    def trimmable(
        self, partition: int, before: Receipt | None, held: Mapping[int, int] | None
    ) -> Trimmable | None:
        """Return what may be removed of a partition, None if there is nothing.

        Only entries that the archive's manifest names, each of which was read back, except the
        last one, by which server and archive are known to be of the same log. With `before`, only
        entries before that place; with `held`, only those before the positions in it.
        """
        end = self._archive.partition(partition).end()
        extent = self._hot.extent(partition)
        if end.last is None or extent.first is None:
            return None
        keep = end.last if before is None else min(end.last, before)
        if held is not None:
            keep = min(keep, Receipt.at(partition, held[partition]))
        if extent.first >= keep:
            return None
        stream = self._archive.partition(partition)
        entries = stream.number_at(keep.position - 1) - stream.number_at(extent.first.position - 1)
        return Trimmable(partition=partition, first=extent.first, keep=keep, entries=entries)

    def trim(self, what: Trimmable, owner: str) -> int:
        """Remove entries from the server; return how many these were.

        Removes none if another process has the lease, or has trimmed meanwhile. Raises
        LogUnavailable.
        """
        removed = self._server.trim(what.partition, owner, what.first, what.keep)
        self._on_step(Step.TRIMMED)
        return removed

    def _written(self) -> list[Generation]:
        return [
            generation
            for projection in PROJECTIONS
            for generation in self._stores.generations(projection.name)
            if generation.role in WRITTEN and generation.stopped is None
        ]
