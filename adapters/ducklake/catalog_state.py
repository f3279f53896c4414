"""Whether a catalog changed, told without reading it."""

from __future__ import annotations

import os
import time

SETTLED_NS = 50_000_000
"""A file's time has the grain of the kernel's clock, some milliseconds: two changes that follow
each other so quickly may look like one. Only what is older than this is trusted."""

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
            state.append((0, 0, 0))
            continue
        except OSError:
            return None
        if not 0 <= found.st_mtime_ns < now - SETTLED_NS:
            return None
        state.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(state)
