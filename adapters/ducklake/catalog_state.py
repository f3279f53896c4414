"""Whether a catalog changed, told without reading it."""

from __future__ import annotations

import os
import time

SECOND_NS = 1_000_000_000
SETTLED_NS = 50_000_000
COARSELY_SETTLED_NS = 2 * SECOND_NS + SETTLED_NS
"""A file's time has the grain of the kernel's clock, some milliseconds, or of its file system, up
to two seconds: changes that follow each other so quickly may look like one. Only a time that is
older than that is trusted."""

CatalogState = tuple[tuple[int, int, int], ...]


def catalog_state(database: str) -> CatalogState | None:
    """Return what is equal for as long as nobody commits to a SQLite database in WAL mode.

    None where that cannot be told, as right after a commit. Only attributes of its files are looked
    at: a second SQLite in this process that opened them would break the locks of DuckDB's.
    """
    state = []
    now = time.time_ns()
    for file in (database, f"{database}-wal"):
        try:
            found = os.stat(file)  # noqa: PTH116  a Path takes longer to make than this
        except FileNotFoundError:
            found = None
        except OSError:
            return None
        if found is None or not found.st_size:
            # An empty log of changes, which a reader leaves behind, is as good as none.
            state.append((0, 0, 0))
            continue
        coarse = found.st_mtime_ns % SECOND_NS == 0
        if found.st_mtime_ns >= now - (COARSELY_SETTLED_NS if coarse else SETTLED_NS):
            return None
        state.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(state)
