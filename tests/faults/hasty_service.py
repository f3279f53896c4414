"""`cave` whose `serve` has a projector that does all upkeep within seconds.

So a campaign of a few minutes merges files, drops snapshots and deletes files again and again.
"""

from __future__ import annotations

import sys
from functools import partial

from adapters.ducklake.store import upkeep
from entrypoints.cli import run
from entrypoints.processes import projector, supervisor

HASTY_PROJECTOR = (sys.executable, "-m", "tests.faults.hasty_service", "projector")


def hasten() -> None:
    """Let upkeep be due soon; readers and slow writers still have far more time than they need."""
    upkeep.MERGE_EVERY = 1.0
    upkeep.MERGE_FROM = 3
    upkeep.EXPIRE_EVERY = 5.0
    upkeep.KEEP_SECONDS = 20
    upkeep.ORPHANS_EVERY = 5.0
    upkeep.ORPHAN_SECONDS = 20


def main() -> int:
    if sys.argv[1:] == ["projector"]:
        hasten()
        return projector.main()
    serve = supervisor.serve
    supervisor.serve = partial(serve, projector=HASTY_PROJECTOR)
    run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
