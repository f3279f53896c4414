"""Upkeep of a generation: few files, and nothing kept that nobody reads."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from adapters.ducklake.database import Connection, transaction
from adapters.ducklake.store.tables import Table

KIBIBYTE = 1 << 10
MEBIBYTE = 1 << 20


class Tier(Struct, frozen=True):
    """Files from `low` bytes on, below `high`, which are merged into ones of about `target`."""

    low: int
    high: int
    target: int


TIERS = (
    Tier(0, 64 * KIBIBYTE, 512 * KIBIBYTE),
    Tier(64 * KIBIBYTE, MEBIBYTE, 8 * MEBIBYTE),
)
"""A point is rewritten twice at most; the largest merge takes well below a second, because new
points wait for it."""

MERGE_FROM = 32
"""Files of one tier and day are merged when they are so many, or are enough for the target."""

MERGE_SECONDS = 0.5
"""No further merge is begun after this time."""

MERGE_EVERY = 5.0
EXPIRE_EVERY = 60.0
"""Seconds between the looks at what is due."""

KEEP_SECONDS = 120
"""Snapshots and files no longer current are kept this long, for queries that are reading them."""

ORPHANS_EVERY = 3600.0
ORPHAN_SECONDS = 60
"""Files of no snapshot are what a failed commit left, or a killed writer, if they are so old."""

MAX_INLINED_ROWS = 10_000
"""More rows than these are moved from the catalog's database to a file."""


class Upkeep:
    """Does what is due for the DuckLake attached as `lake`. For its only writer."""

    def __init__(self, connection: Connection, table: Table, clock: Callable[[], float]) -> None:
        self._connection = connection
        self._table = table
        self._clock = clock
        self._flushed = 0
        now = clock()
        self._merge_due = now
        self._expire_due = now + EXPIRE_EVERY
        self._orphans_due = now

    def run(self) -> None:
        """Do what is due."""
        now = self._clock()
        if now >= self._orphans_due:
            self._orphans_due = now + ORPHANS_EVERY
            self.delete_orphans()
        if now >= self._merge_due:
            self._merge_due = now + MERGE_EVERY
            self.merge()
        if now >= self._expire_due:
            self._expire_due = now + EXPIRE_EVERY
            self.expire()

    def merge(self, seconds: float = MERGE_SECONDS) -> None:
        """Merge small files, one group at a time, as long as any is due and there is time."""
        end = self._clock() + seconds
        for tier in TIERS:
            while self._due(tier):
                self._connection.execute(f"SET ducklake_target_file_size = '{tier.target}B'")
                try:
                    self._call(
                        f"ducklake_merge_adjacent_files('lake', '{self._table.name}', "
                        f"min_file_size => {tier.low}, max_file_size => {tier.high}, "
                        "max_compacted_files => 1)"
                    )
                finally:
                    self._connection.execute("RESET ducklake_target_file_size")
                if self._clock() >= end:
                    return

    def expire(self, keep: int = KEEP_SECONDS) -> None:
        """Drop old snapshots, and the files and checkpoints that only they have."""
        # Deleted rows of an inlined table stay in it; a table made anew has none.
        with transaction(self._connection):
            self._connection.execute("CREATE TABLE lake.compacted AS FROM lake.checkpoints")
            self._connection.execute("DROP TABLE lake.checkpoints")
            self._connection.execute("ALTER TABLE lake.compacted RENAME TO checkpoints")
        self._flush()
        self._call(f"ducklake_expire_snapshots('lake', older_than => {_ago(keep)})")
        self._call(f"ducklake_cleanup_old_files('lake', older_than => {_ago(keep)})")

    def delete_orphans(self, keep: int = ORPHAN_SECONDS) -> None:
        """Delete files that no snapshot knows."""
        self._call(f"ducklake_delete_orphaned_files('lake', older_than => {_ago(keep)})")

    def _due(self, tier: Tier) -> bool:
        """Tell whether some day has enough files of a tier."""
        ((due,),) = self._connection.execute(
            "SELECT coalesce(bool_or(files >= $from OR files > 1 AND bytes >= $target), false) "
            "FROM (SELECT count(*) AS files, sum(data_file_size_bytes) AS bytes "
            f"FROM ducklake_list_files('lake', '{self._table.name}') "
            "WHERE data_file_size_bytes >= $low AND data_file_size_bytes < $high "
            "GROUP BY parse_dirpath(data_file))",
            {"from": MERGE_FROM, "target": tier.target, "low": tier.low, "high": tier.high},
        ).fetchall()
        return bool(due)

    def _flush(self) -> None:
        """Move rows from the catalog's database to a file where they have become many."""
        ((rows,),) = self._connection.execute(
            f"SELECT count(*) FROM lake.{self._table.name}"
        ).fetchall()
        if self._table.key is not None and rows > self._flushed + MAX_INLINED_ROWS:
            self._call(f"ducklake_flush_inlined_data('lake', table_name => '{self._table.name}')")
            self._flushed = rows

    def _call(self, call: str) -> None:
        # Counted, because the rows told have times with zones, which Python gets with pytz only.
        self._connection.execute(f"SELECT count(*) FROM {call}").fetchall()


def _ago(seconds: int) -> str:
    return f"now() - INTERVAL {seconds} SECOND"
