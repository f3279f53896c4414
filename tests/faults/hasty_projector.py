"""A projector of one of several hosts, with all upkeep every 0.2 s and a lease of one second.

Arguments: the host's data directory, the log server's URL, the catalogs' PostgreSQL, and the
directory of the projections' files.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

from adapters.ducklake.store import upkeep
from application.errors import LogError
from application.projections.errors import ProjectionError
from entrypoints.processes.projector import project
from entrypoints.processes.signals import Signals
from entrypoints.settings import LogSettings

LEASE = timedelta(seconds=1)
EVERY = 0.2
ORPHAN_SECONDS = 1
KEEP_SECONDS = 4
"""Longer than the pauses of the campaign, as it is longer than a lease in production: a transaction
whose snapshot has been dropped is a fatal error of DuckDB's."""


def settings(directory: Path, url: str, catalog: str, files: str) -> LogSettings:
    return LogSettings(
        data_dir=directory,
        redis_url=url,
        projections_catalog=catalog,
        projections_files=files,
        projections_lease=LEASE,
    )


def main() -> None:
    directory, url, catalog, files = sys.argv[1:]
    upkeep.MERGE_EVERY = upkeep.EXPIRE_EVERY = upkeep.ORPHANS_EVERY = EVERY
    upkeep.MERGE_FROM = 3
    upkeep.KEEP_SECONDS = KEEP_SECONDS
    upkeep.ORPHAN_SECONDS = ORPHAN_SECONDS
    with Signals() as signals:
        while not signals.stops:
            try:
                project(settings(Path(directory), url, catalog, files), url, signals, os.getpid())
            except (LogError, ProjectionError) as error:
                print(error, file=sys.stderr)
                signals.wait(EVERY)


if __name__ == "__main__":
    main()
