"""Upkeep of a generation: few files, and nothing kept that nobody reads."""

from __future__ import annotations

from adapters.ducklake.database import Connection
from adapters.ducklake.tables import Table

MEBIBYTE = 1 << 20

SMALL = MEBIBYTE
MEDIUM = 16 * MEBIBYTE
"""Files are merged in two tiers, up to one of these sizes each, so that a point is rewritten a few
times only and a merge takes a second or two."""

MERGE_FROM = 8
"""Files of a tier from which on they are merged."""

MERGE_AT_ONCE = 128

MERGE_EVERY = 10.0
EXPIRE_EVERY = 60.0
"""Seconds between the looks at what is due."""

KEEP_SECONDS = 120
"""Snapshots and files no longer current are kept this long, for queries that are reading them."""

ORPHAN_SECONDS = 3600
"""Files of no snapshot are those of a writer that was killed, if they are this old."""


class Upkeep:
    """Does what is due for the DuckLake attached as `lake`. For its only writer."""

    def __init__(self, connection: Connection, table: Table) -> None:
        self._connection = connection
        self._table = table
        self._merge_due = 0.0
        self._expire_due = EXPIRE_EVERY

    def run(self, now: float) -> None:
        """Do what is due at `now`, in seconds of a clock that begins at 0 and never goes back."""
        if now >= self._merge_due:
            self.merge()
            self._merge_due = now + MERGE_EVERY
        if now >= self._expire_due:
            self.expire()
            self._expire_due = now + EXPIRE_EVERY

    def merge(self) -> None:
        """Merge small files, tier by tier, where there are enough of them."""
        for low, high in ((0, SMALL), (SMALL, MEDIUM)):
            if self._files(low, high) >= MERGE_FROM:
                self._call(
                    f"ducklake_merge_adjacent_files('lake', '{self._table.name}', "
                    f"min_file_size => {low}, max_file_size => {high}, "
                    f"max_compacted_files => {MERGE_AT_ONCE})"
                )

    def expire(self, keep: int = KEEP_SECONDS, keep_orphans: int = ORPHAN_SECONDS) -> None:
        """Drop old snapshots, and the files and checkpoints that only they have."""
        # Deleted rows of an inlined table stay in it; a table made anew has none.
        self._connection.execute(
            "BEGIN; CREATE TABLE lake.compacted AS FROM lake.checkpoints; "
            "DROP TABLE lake.checkpoints; ALTER TABLE lake.compacted RENAME TO checkpoints; COMMIT"
        )
        self._call(f"ducklake_expire_snapshots('lake', older_than => {_ago(keep)})")
        self._call(f"ducklake_cleanup_old_files('lake', older_than => {_ago(keep)})")
        self._call(f"ducklake_delete_orphaned_files('lake', older_than => {_ago(keep_orphans)})")

    def _files(self, low: int, high: int) -> int:
        ((count,),) = self._connection.execute(
            f"SELECT count(*) FROM ducklake_list_files('lake', '{self._table.name}') "
            "WHERE data_file_size_bytes BETWEEN ? AND ?",
            [low, high],
        ).fetchall()
        return int(count)

    def _call(self, call: str) -> None:
        self._connection.execute(f"CALL {call}").fetchall()


def _ago(seconds: int) -> str:
    return f"now() - INTERVAL {seconds} SECOND"
