"""Upkeep of a generation: merging small files and removing what is no longer read."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from adapters.ducklake.database import Connection
from adapters.ducklake.freed_memory import give_back
from adapters.ducklake.store.tables import Table
from adapters.ducklake.store.writer_fence import WriterFence

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20


class Tier(Struct, frozen=True):
    """Files of at least `low` and less than `high` bytes, merged into files of about `target`."""

    low: int
    high: int
    target: int


TIERS = (
    Tier(0, 32 * KIBIBYTE, 256 * KIBIBYTE),
    Tier(32 * KIBIBYTE, 512 * KIBIBYTE, 2 * MEBIBYTE),
)
"""A point is rewritten at most twice. New points wait for a merge, so the largest, of about a
million points, takes about a second."""

MERGE_FROM = 32
"""Files of one tier and day are merged once there are this many, or enough for the target size."""

IDLE_SECONDS = 30
"""Seconds without a commit after which all files of one tier and day are merged. Clients that send
at intervals usually do so more often."""

MERGE_SECONDS = 0.5
"""Seconds after which no further merge is started."""

MERGE_EVERY = 5.0
GIVE_BACK_EVERY = 5.0
EXPIRE_EVERY = 60.0
"""Seconds between checks for due work."""

SETTLED_SECONDS = 600
"""Seconds without a commit after which nothing is left to drop: by then, each snapshot has been
KEEP_SECONDS old, and after it the dropping of its files."""

KEEP_SECONDS = 120
"""Seconds that outdated snapshots and files are kept for queries still reading them."""

ORPHANS_EVERY = 3600.0
ORPHAN_SECONDS = 60
"""Age in seconds at which a file of no snapshot counts as left by a failed or killed writer. The
clocks of hosts and of an object store may differ by less than this."""

MAX_INLINED_ROWS = 10_000
"""More rows than this are moved from the catalog's database to a file."""


class Upkeep:
    """Does what is due for the DuckLake attached as `lake`.

    Files are merged and deleted by one of a generation's writers, behind its `fence`. What it
    deletes belongs to a time when nobody else was writing: that time is fixed first, and then the
    fence is asked to end all transactions that have begun by then. So a writer that was paused and
    taken over in between deletes nothing of its successor's, and nobody can still commit a file
    that was deleted.
    """

    def __init__(
        self, connection: Connection, table: Table, fence: WriterFence, clock: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._table = table
        self._fence = fence
        self._clock = clock
        self._flushed = 0
        now = clock()
        self._unmerged = True
        self._committed = now
        self._changed = now
        self._merge_due = now
        self._holds_memory = True
        self._give_back_due = now + GIVE_BACK_EVERY
        self._expire_due = now + EXPIRE_EVERY
        self._orphans_due = now

    def note_commit(self) -> None:
        """Note that something was committed. Without commits, there is nothing to look for."""
        self._unmerged = self._holds_memory = True
        self._changed = self._committed = self._clock()

    def run(self) -> None:
        """Do what is due. Raises ProjectionBusy if another writer has taken over."""
        now = self._clock()
        if not self._fence.is_alone:
            self.note_commit()  # others may have committed
        keeps_files = self._fence.keeps_files
        if keeps_files and now >= self._orphans_due:
            self._orphans_due = now + ORPHANS_EVERY
            self.delete_orphans(ORPHAN_SECONDS)
        if keeps_files and self._unmerged and now >= self._merge_due:
            self._merge_due = now + MERGE_EVERY
            idle = now >= self._committed + IDLE_SECONDS
            done = self.merge(least=2 if idle else MERGE_FROM)
            self._unmerged = not (idle and done)
        if self._holds_memory and now >= self._give_back_due:
            # What commits and merges have freed: some 25 MB, which glibc would keep.
            self._give_back_due = now + GIVE_BACK_EVERY
            self._holds_memory = False
            give_back()
        if now >= self._expire_due and now < self._changed + SETTLED_SECONDS:
            self._expire_due = now + EXPIRE_EVERY
            if keeps_files:
                self.expire(KEEP_SECONDS)
            else:
                self._fence.compact()

    def merge(self, seconds: float = MERGE_SECONDS, least: int = MERGE_FROM) -> bool:
        """Merge small files, one group at a time, while any are due and there is time.

        They are due if there are `least` of one tier and day, or enough for the target size.
        Returns whether none are left that can be merged.
        """
        end = self._clock() + seconds
        for tier in TIERS:
            while self._due(tier, least):
                merged = self._merge_once(tier)
                if merged is None or self._clock() >= end:
                    return False
                if not merged:
                    break
        return True

    def _merge_once(self, tier: Tier) -> bool | None:
        """Return whether any files could be merged; None if other writers were always faster."""
        found: list[int] = []
        merge = (
            f"ducklake_merge_adjacent_files('lake', '{self._table.name}', "
            f"min_file_size => {tier.low}, max_file_size => {tier.high}, "
            "max_compacted_files => 1)"
        )
        self._connection.execute(f"SET ducklake_target_file_size = '{tier.target}B'")
        try:
            if not self._fence.rewrite(lambda: found.append(self._call(merge))):
                return None
        finally:
            self._connection.execute("RESET ducklake_target_file_size")
        self._holds_memory = True
        self._changed = self._clock()
        return found[-1] > 0

    def expire(self, keep: int) -> None:
        """Drop old snapshots, with the files and checkpoints that only they use."""
        before = _ago(keep)
        # Deleted rows of an inlined table stay in it; a new table has none.
        self._fence.compact()
        self._flush()
        self._call(f"ducklake_expire_snapshots('lake', older_than => {before})")
        self._call(f"ducklake_cleanup_old_files('lake', older_than => {before})")

    def delete_orphans(self, keep: int) -> None:
        """Delete files that belong to no snapshot."""
        before = _ago(keep)
        self._fence.end_others()
        self._call(f"ducklake_delete_orphaned_files('lake', older_than => {before})")

    def _due(self, tier: Tier, least: int) -> bool:
        """Return whether any day has enough files of a tier."""
        ((due,),) = self._connection.execute(
            "SELECT coalesce(bool_or(files >= $from OR files > 1 AND bytes >= $target), false) "
            "FROM (SELECT count(*) AS files, sum(data_file_size_bytes) AS bytes "
            f"FROM ducklake_list_files('lake', '{self._table.name}') "
            "WHERE data_file_size_bytes >= $low AND data_file_size_bytes < $high "
            "GROUP BY parse_dirpath(data_file))",
            {"from": least, "target": tier.target, "low": tier.low, "high": tier.high},
        ).fetchall()
        return bool(due)

    def _flush(self) -> None:
        """Move rows from the catalog's database to a file once there are many."""
        ((rows,),) = self._connection.execute(
            f"SELECT count(*) FROM lake.{self._table.name}"
        ).fetchall()
        if self._table.key is not None and rows > self._flushed + MAX_INLINED_ROWS:
            flush = f"ducklake_flush_inlined_data('lake', table_name => '{self._table.name}')"
            if self._fence.rewrite(partial(self._call, flush)):
                self._flushed = rows

    def _call(self, call: str) -> int:
        """Call a function and return the number of its rows."""
        # Only counted, because they have times with zones, which need pytz in Python.
        ((rows,),) = self._connection.execute(f"SELECT count(*) FROM {call}").fetchall()
        return int(rows)


def _ago(seconds: int) -> str:
    """Return a time as SQL, the same whenever that is run."""
    return f"to_timestamp({time.time() - seconds:.6f})"
