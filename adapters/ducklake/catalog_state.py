"""Detecting whether a catalog changed, without reading it."""

from __future__ import annotations

import os
import time

SECOND_NS = 1_000_000_000
SETTLED_NS = 50_000_000
COARSELY_SETTLED_NS = 2 * SECOND_NS + SETTLED_NS
"""A file's time has the resolution of the kernel's clock, some milliseconds, or of its file system,
up to two seconds. Changes closer together than that may look like one, so only older times are
trusted."""

CatalogState = tuple[tuple[int, int, int], ...]


def catalog_state(database: str) -> CatalogState | None:
    """Return a value that stays equal until someone commits to a SQLite database in WAL mode.

    None where that is uncertain, as right after a commit. Only the attributes of its files are
    examined: a second SQLite in this process that opened them would break the locks of DuckDB's.
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
            # Readers leave an empty write-ahead log, which is equivalent to none.
            state.append((0, 0, 0))
            continue
        coarse = found.st_mtime_ns % SECOND_NS == 0
        if found.st_mtime_ns >= now - (COARSELY_SETTLED_NS if coarse else SETTLED_NS):
            return None
        state.append((found.st_ino, found.st_mtime_ns, found.st_size))
    return tuple(state)
